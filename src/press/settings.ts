/** The settings that presses are made with: each is described once, by its check and its default. */
import { ArgumentError } from "../errors.ts";
import { checkOptions } from "../options.ts";
import { show } from "../show.ts";
import type { Press, Reach } from "./press.ts";
import { checkPress, type PressOfKind } from "./tools/check-press.ts";

/** Whether a setting must be given, may be left out, or has a default. */
type Need = "required" | "optional" | "standard";

/** One setting of a press. */
export interface Setting<T = unknown, N extends Need = Need> {
  readonly need: N;
  /** What it is when it is not given. */
  readonly standard: T | undefined;
  /** Kinds of press that may be given, where it is one: then `press(name, ...)` takes a name, too. */
  readonly kinds?: readonly Press["kind"][];
  /** @param name what the setting is called @throws ArgumentError for what cannot be */
  check(value: unknown, name: string): T;
}

/** The settings of a press by their names. */
export type Settings = Readonly<Record<string, Setting>>;

/** Whether a user must give a setting. */
type IsRequired<S> = S extends Setting<infer _T, infer N> ? (N extends "required" ? true : false) : never;

/** What a user gives, with the comments of the settings. */
export type Given<S extends Settings> = {
  readonly [Name in keyof S as IsRequired<S[Name]> extends true ? Name : never]: ValueOf<S[Name]>;
} & {
  readonly [Name in keyof S as IsRequired<S[Name]> extends true ? never : Name]?: ValueOf<S[Name]> | undefined;
};

/** What a method is given: checked, with defaults. */
export type Checked<S extends Settings> = {
  readonly [Name in keyof S]: S[Name] extends Setting<infer T, infer N>
    ? N extends "optional"
      ? T | undefined
      : T
    : never;
};

type ValueOf<S> = S extends Setting<infer T, Need> ? T : never;

/**
 * Checks what was given and adds defaults.
 * @param press the method's name, for errors
 * @throws ArgumentError for an unknown setting, a missing one, and a value that cannot be
 */
export function checkedSettings<S extends Settings>(press: string, settings: S, given: unknown = {}): Checked<S> {
  checkOptions(given, Object.keys(settings), press);
  const values = given as Readonly<Record<string, unknown>>;
  const checked = Object.entries(settings).map(([name, setting]) => {
    const value = values[name];
    if (value !== undefined) return [name, setting.check(value, `${name} of ${press}`)];
    if (setting.need === "required") throw new ArgumentError(`${press} needs its option ${name}`);
    return [name, setting.standard];
  });
  return Object.fromEntries(checked) as Checked<S>;
}

function setting<T>(standard: T | undefined, check: Setting<T>["check"]): Setting<T, "standard"> {
  return { need: "standard", standard, check };
}

/** A setting that must be given. @param make as in `required(whole)` */
export function required<T>(make: () => Setting<T>): Setting<T, "required"> {
  return { ...make(), need: "required" };
}

/** A setting that may be left out, and is then undefined. @param make as in `optional(whole)` */
export function optional<T>(make: () => Setting<T>): Setting<T, "optional"> {
  return { ...make(), need: "optional" };
}

/** A setting of numbers that `fits` accepts. @param what they should be, for errors */
function numeric(standard: number | undefined, what: string, fits: (value: number) => boolean) {
  return setting<number>(standard, (value, name) => {
    if (typeof value === "number" && fits(value)) return value;
    throw new ArgumentError(`${name} should be ${what} and is ${show(value)}`);
  });
}

/** A whole number of at least `least`. */
export function whole(standard?: number, least = 1): Setting<number, "standard"> {
  return numeric(standard, `a whole number of at least ${least}`, (value) => Number.isInteger(value) && value >= least);
}

/** An odd whole number. */
export function odd(standard?: number): Setting<number, "standard"> {
  return numeric(standard, "a positive odd number", (value) => value > 0 && value % 2 === 1);
}

/** A part, from 0 to 1, both included. */
export function part(standard?: number): Setting<number, "standard"> {
  return numeric(standard, "from 0 to 1", (value) => value >= 0 && value <= 1);
}

/** A part that is removed, from 0 to below 1. */
export function removed(standard?: number): Setting<number, "standard"> {
  return numeric(standard, "in [0, 1)", (value) => value >= 0 && value < 1);
}

/** Any finite number. */
export function number(standard?: number): Setting<number, "standard"> {
  return numeric(standard, "a number", Number.isFinite);
}

/** Yes or no. */
export function flag(standard?: boolean): Setting<boolean, "standard"> {
  return setting(standard, (value, name) => {
    if (typeof value === "boolean") return value;
    throw new ArgumentError(`${name} should be true or false and is ${show(value)}`);
  });
}

/** One of some words. */
export function choice<const Word extends string>(words: readonly Word[], standard?: Word): Setting<Word, "standard"> {
  return setting(standard, (value, name) => {
    if (words.includes(value as Word)) return value as Word;
    throw new ArgumentError(`${name} should be one of ${words.join(", ")} and is ${show(value)}`);
  });
}

/** A function. */
export function callback<F>(): Setting<F, "standard"> {
  return setting<F>(undefined, (value, name) => {
    if (typeof value === "function") return value as F;
    throw new ArgumentError(`${name} should be a function and is ${show(value)}`);
  });
}

/** Finite numbers, one after the other. */
export function numbers(): Setting<ArrayLike<number>, "standard"> {
  return setting<ArrayLike<number>>(undefined, (value, name) => {
    const list = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
    if (list && Array.from(value as ArrayLike<unknown>).every(Number.isFinite)) return value as ArrayLike<number>;
    throw new ArgumentError(`${name} should be a list of numbers and is ${show(value)}`);
  });
}

/** A list of at least one item, each of which is one setting. */
export function list<T>(make: () => Setting<T>): Setting<readonly T[], "standard"> {
  const item = make();
  return setting<readonly T[]>(undefined, (value, name) => {
    if (Array.isArray(value) && value.length > 0)
      return value.map((each, i) => item.check(each, `${name}, item ${i},`));
    throw new ArgumentError(`${name} should be a list of at least one item and is ${show(value)}`);
  });
}

/** Several settings together. */
export function group<S extends Settings>(settings: S): Setting<Given<S>, "standard"> {
  return setting<Given<S>>(undefined, (value, name) => checkedSettings(name, settings, value) as unknown as Given<S>);
}

/** How far an attended entry's score reaches. */
export function reach(standard?: Reach): Setting<Reach, "standard"> {
  const side = whole(undefined, 0);
  return setting<Reach>(standard, (value, name) => {
    checkOptions(value, ["before", "after"], name);
    const { before, after } = value as Reach;
    return { before: side.check(before, `before of ${name}`), after: side.check(after, `after of ${name}`) };
  });
}

/** A press of one of some kinds. */
export function innerPress<const Kind extends Press["kind"]>(...kinds: Kind[]): Setting<PressOfKind<Kind>, "standard"> {
  const check = (value: unknown, name: string) => {
    checkPress(value, kinds, name);
    return value as PressOfKind<Kind>;
  };
  return { ...setting(undefined, check), kinds };
}
