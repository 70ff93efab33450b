/** Jinja templates from untrusted files, rendered as transformers renders them, with limits on what they may do. */
import { ArgumentError, FormatError, SiskinError } from "../../errors.ts";
import { Budget, type Limits } from "./budget.ts";
import { Refusal } from "./faults.ts";
import { globals } from "./globals.ts";
import { type Program, parse } from "./parser.ts";
import type { Value } from "./values.ts";

/** The longest templates in use have some 30,000 characters. */
const LONGEST = 200_000;

/** A parsed template. */
export class Template {
  readonly #program: Program;
  readonly #name: string;

  /**
   * @param source Jinja, at most 200,000 characters
   * @param name the file's name, for errors
   * @throws FormatError when it cannot be parsed, is too long or nests too deep
   */
  constructor(source: string, name: string) {
    this.#name = name;
    if (source.length > LONGEST)
      throw new FormatError(name, `the chat template has ${source.length} characters, more than ${LONGEST}`);
    try {
      this.#program = parse(source);
    } catch (error) {
      throw new FormatError(name, `the chat template cannot be parsed: ${reason(error)}`);
    }
  }

  /**
   * The template's output.
   * @param variables what the template may name; given the budget, as what they hold counts too
   * @param limits how much the template may do
   * @param now the time that it is told
   * @throws ArgumentError with the template's own words when it calls `raise_exception`
   * @throws FormatError when it fails, works too long or writes too much
   */
  render(variables: ReadonlyMap<string, Value>, limits: Limits, now = new Date()): string {
    const budget = new Budget(limits);
    try {
      return this.#program(new Map([...globals(budget, now), ...variables]), budget);
    } catch (error) {
      if (error instanceof Refusal) throw new ArgumentError(error.message);
      if (error instanceof SiskinError) throw error;
      throw new FormatError(this.#name, `the chat template fails: ${reason(error)}`);
    }
  }
}

/** Stacks and texts have other limits on every runtime. */
function reason(error: unknown): string {
  const { message } = error as Error;
  return error instanceof RangeError ? `it is too much for this runtime (${message})` : message;
}
