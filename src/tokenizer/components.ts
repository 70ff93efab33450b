/** The parts of a tokenizer.json, told apart and checked before anything is made of them. */
import { FormatError } from "../errors.ts";
import { show } from "../show.ts";
import { DigitGroups, type Grouping, knownGroupings } from "./pattern/digit-groups.ts";
import { Matcher, type TextMatcher } from "./pattern/matcher.ts";
import { PatternSyntaxError } from "./pattern/syntax.ts";

/** A part of a tokenizer.json: an object with a type. */
export interface Component {
  readonly type: string;
  readonly [key: string]: unknown;
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

// No tokenizer in use has more than ten steps, or lists of steps in lists.
const deepestNesting = 8;
const mostSteps = 64;

/** Reads what is in one file, and names it in errors. */
export class Reader {
  readonly #name: string;

  /** @param name the file's name, for errors */
  constructor(name: string) {
    this.#name = name;
  }

  get name(): string {
    return this.#name;
  }

  /** @throws FormatError always */
  fail(fault: string): never {
    throw new FormatError(this.#name, fault);
  }

  /** A component, or null where there is none. */
  component(value: unknown, what: string): Component | null {
    if (value === null || value === undefined) return null;
    if (!isObject(value) || typeof value.type !== "string") return this.fail(`${what} is not an object with a type`);
    return value as Component;
  }

  /** A component's steps in order, lists within lists taken apart. @param key the field that a list's parts stand in */
  steps(component: Component | null, key: string, what: string): Component[] {
    const steps: Component[] = [];
    const collect = (part: Component, depth: number) => {
      if (part.type !== "Sequence") {
        if (steps.push(part) > mostSteps) this.fail(`the ${what} has more than ${mostSteps} steps`);
        return;
      }
      if (depth === deepestNesting) this.fail(`the ${what} nests more than ${deepestNesting} deep`);
      const parts = part[key];
      if (!Array.isArray(parts)) return this.fail(`the ${what} is a sequence without a list of "${key}"`);
      for (const each of parts) {
        const inner = this.component(each, `a part of the ${what}`);
        if (!inner) return this.fail(`a part of the ${what} is null`);
        collect(inner, depth + 1);
      }
    };
    if (component) collect(component, 0);
    return steps;
  }

  /** A field that is true or false; undefined or null stand for `fallback`. */
  flag(component: Record<string, unknown>, key: string, fallback: boolean): boolean {
    const value = component[key] ?? fallback;
    return typeof value === "boolean" ? value : this.fail(`"${key}" should be true or false and is ${show(value)}`);
  }

  /** A field that is a string. */
  text(component: Record<string, unknown>, key: string): string {
    const value = component[key];
    return typeof value === "string" ? value : this.fail(`"${key}" should be a string and is ${show(value)}`);
  }

  /** What a component's `pattern` looks for: a string, or a regular expression. */
  pattern(component: Component): { text: string } | { source: string } {
    const { pattern } = component;
    if (isObject(pattern)) {
      if (typeof pattern.String === "string" && pattern.String !== "") return { text: pattern.String };
      if (typeof pattern.Regex === "string") return { source: pattern.Regex };
    }
    return this.fail(`a ${component.type} has no pattern`);
  }

  /** A matcher for a regular expression, or for groups of digits. @throws FormatError for what is not understood */
  matcher(source: string | Grouping): { matcher: TextMatcher; fail: (fault: string) => never } {
    try {
      const grouping = typeof source === "string" ? knownGroupings.get(source) : source;
      return {
        matcher: grouping ? new DigitGroups(grouping) : new Matcher(source as string),
        fail: (fault) => this.fail(`the pattern ${show(source)} ${fault}`),
      };
    } catch (error) {
      if (error instanceof PatternSyntaxError)
        return this.fail(`the pattern ${show(source)} cannot be used: ${error.message}`);
      throw error;
    }
  }
}

/** A regular expression that matches a text as it is. */
export const escapePattern = (text: string) => text.replaceAll(/[^\p{L}\p{N}]/gu, "\\$&");
