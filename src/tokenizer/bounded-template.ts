/** Jinja templates from untrusted files: @huggingface/jinja with limits on nesting, work and the length of strings. */
import { Environment, Interpreter, Template } from "@huggingface/jinja";
import { ArgumentError, FormatError } from "../errors.ts";

type Evaluate = Interpreter["evaluate"];

// The longest templates in use have some 20,000 characters and nest less than 20 deep.
const longestTemplate = 200_000;
const deepestNesting = 200;
// Runtimes differ in how deep they can recurse before the stack overflows.
const deepestEvaluation = 1000;
const stepsAtLeast = 200_000;
const stepsForEachItem = 20_000;
const spareLength = 1_000_000;

/** Counts what the template does and refuses to go on beyond the limits. */
class BoundedInterpreter extends Interpreter {
  steps = 0;
  depth = 0;

  constructor(
    environment: Environment,
    readonly most: { steps: number; length: number },
  ) {
    super(environment);
  }

  override evaluate(...parameters: Parameters<Evaluate>): ReturnType<Evaluate> {
    this.count(1);
    if (++this.depth > deepestEvaluation) throw new RangeError(`it nests more than ${deepestEvaluation} deep`);
    const result = super.evaluate(...parameters);
    this.depth--;
    const { value } = result;
    if ((typeof value === "string" || Array.isArray(value)) && value.length > this.most.length)
      throw new RangeError(`it makes a text or list longer than ${this.most.length}`);
    return result;
  }

  count(steps: number): void {
    this.steps += steps;
    if (!(this.steps <= this.most.steps)) throw new RangeError(`it takes more than ${this.most.steps} steps`);
  }
}

/** A parsed template. */
export class BoundedTemplate {
  readonly #program: Template["parsed"];
  readonly #name: string;

  /**
   * @param source Jinja, at most 200,000 characters with brackets at most 200 deep
   * @param name the file's name, for errors
   * @throws FormatError when it cannot be parsed or is beyond these limits
   */
  constructor(source: string, name: string) {
    this.#name = name;
    if (source.length > longestTemplate)
      throw new FormatError(name, `the chat template has ${source.length} characters, more than ${longestTemplate}`);
    // Counted before parsing, because the parser recurses; brackets in literal text count too, which no real template minds.
    let depth = 0;
    for (const character of source) {
      if ("([{".includes(character) && ++depth > deepestNesting)
        throw new FormatError(name, `the chat template nests brackets more than ${deepestNesting} deep`);
      if (")]}".includes(character) && depth > 0) depth--;
    }
    try {
      this.#program = new Template(source).parsed;
    } catch (error) {
      throw new FormatError(name, `the chat template cannot be parsed: ${(error as Error).message}`);
    }
  }

  /**
   * The template's output.
   *
   * @param variables what the template may name
   * @param size how much there is to render: items, and characters in all; the limits grow with it
   * @throws ArgumentError with the template's own words when it calls `raise_exception`
   * @throws FormatError when it fails, works too long or writes too much
   */
  render(variables: Record<string, unknown>, size: { items: number; characters: number }): string {
    const environment = new Environment();
    const interpreter = new BoundedInterpreter(environment, {
      steps: stepsAtLeast + stepsForEachItem * size.items,
      length: spareLength + 4 * size.characters,
    });
    const globals: Record<string, unknown> = {
      true: true,
      True: true,
      false: false,
      False: false,
      none: null,
      None: null,
      raise_exception: (message: unknown) => {
        throw new ArgumentError(String(message));
      },
      range: (first: number, end?: number, step = 1) => {
        const [start, stop] = end === undefined ? [0, first] : [first, end];
        const length = Math.max(Math.ceil((stop - start) / step), 0);
        interpreter.count(length);
        return Array.from({ length }, (_, index) => start + index * step);
      },
      // The library's own is reached only from inside a template.
      strftime_now: (format: string) => new Template("{{ strftime_now(format) }}").render({ format }),
    };
    for (const [key, value] of Object.entries({ ...variables, ...globals })) environment.set(key, value);
    try {
      return String(interpreter.run(this.#program).value);
    } catch (error) {
      if (error instanceof ArgumentError) throw error;
      throw new FormatError(this.#name, `the chat template fails: ${(error as Error).message}`);
    }
  }
}
