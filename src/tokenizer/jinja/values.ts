/** The values that templates compute with: Python's, held as JavaScript's where the two agree. */
import type { Budget } from "./budget.ts";
import { Fault } from "./faults.ts";

/**
 * null is None; a number is an int, floats are objects so that 2.0 stays one; an array is a list.
 * Lists and dicts never change: the sandbox that templates run in forbids it.
 */
export type Value =
  | null
  | boolean
  | number
  | string
  | readonly Value[]
  | Float
  | Markup
  | Tuple
  | Dict
  | Stream
  | Callable
  | Namespace
  | LoopState
  | Undefined;

/** Arguments by name. */
export type Named = ReadonlyMap<string, Value>;

/** A float. */
export class Float {
  constructor(readonly value: number) {}
}

/** A string that `|safe` or `|escape` has marked: what is joined to it with + is escaped. */
export class Markup {
  constructor(readonly text: string) {}
}

/** A tuple, and what is as unchangeable as one: what `range` gives, and a dict's keys(), values() and items(). */
export class Tuple {
  constructor(
    readonly items: readonly Value[],
    readonly type: "tuple" | "range" | "dict_keys" | "dict_values" | "dict_items" = "tuple",
  ) {}
}

/** Something that gives its items once: a generator. */
export class Stream implements Iterable<Value> {
  constructor(
    readonly iterator: Iterator<Value>,
    /** How many streams feed one another. */
    readonly depth: number,
  ) {}

  [Symbol.iterator](): Iterator<Value> {
    return this.iterator;
  }
}

/** What `loop` is in a loop. */
export abstract class LoopState {
  /** An attribute, undefined where `loop` has none of that name. */
  abstract get(name: string): Value | undefined;
}

/** A function, method or macro. */
export class Callable {
  constructor(readonly call: (positional: readonly Value[], named: Named) => Value) {}
}

/** What `namespace` makes; `set` may change its attributes. */
export class Namespace {
  readonly attributes = new Map<string, Value>();

  /** @throws Fault for what transformers forbids */
  set(name: string, value: Value): void {
    if (name.startsWith("_"))
      throw new Fault(`Chat templates cannot store underscore-prefixed attributes on a namespace, but got '${name}'.`);
    this.attributes.set(name, value);
  }
}

/** What a name, attribute or item that is not there gives: prints as nothing and fails in most uses. */
export class Undefined {
  constructor(readonly explain: () => string) {}

  fail(): never {
    throw new Fault(this.explain());
  }
}

/** What equal keys of a dict have in common. @throws Fault for what Python cannot hash, and for tuples */
function keyOf(value: Value, budget: Budget | undefined): unknown {
  if (isText(value)) {
    budget?.characters(textOf(value).length);
    return textOf(value);
  }
  if (typeof value === "boolean") return Number(value);
  if (value instanceof Float) return value.value;
  if (value instanceof Undefined) return Undefined;
  if (value instanceof Tuple) throw new Fault(`a ${value.type} as a key is not supported`);
  if (isList(value) || value instanceof Dict) throw new Fault(`unhashable type: '${typeName(value)}'`);
  return value;
}

/** A dict. */
export class Dict {
  readonly #entries = new Map<unknown, readonly [key: Value, value: Value]>();

  static of(entries: Iterable<readonly [Value, Value]>, budget: Budget): Dict {
    const dict = new Dict();
    for (const [key, value] of entries) dict.set(key, value, budget);
    return dict;
  }

  /** For those that make a dict; afterwards it does not change. @param budget what a template makes counts */
  set(key: Value, value: Value, budget: Budget | undefined): void {
    budget?.objects(3);
    const hash = keyOf(key, budget);
    const known = this.#entries.get(hash);
    this.#entries.set(hash, [known ? known[0] : key, value]);
  }

  get(key: Value, budget: Budget): Value | undefined {
    return this.#entries.get(keyOf(key, budget))?.[1];
  }

  has(key: Value, budget: Budget): boolean {
    return this.#entries.has(keyOf(key, budget));
  }

  get size(): number {
    return this.#entries.size;
  }

  *keys(): IterableIterator<Value> {
    for (const [key] of this.#entries.values()) yield key;
  }

  entries(): IterableIterator<readonly [key: Value, value: Value]> {
    return this.#entries.values();
  }
}

export const isText = (value: Value): value is string | Markup => typeof value === "string" || value instanceof Markup;

export const isNumber = (value: Value): value is number | boolean | Float =>
  typeof value === "number" || typeof value === "boolean" || value instanceof Float;

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);

/** The items of what Python calls a sequence and is no text: a list, a tuple or a range. */
export const sequenceOf = (value: Value): readonly Value[] | undefined =>
  isList(value) ? value : value instanceof Tuple && !value.type.startsWith("dict") ? value.items : undefined;

/** The name of a value's type, for errors. */
export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  if (typeof value !== "object") return { string: "str", boolean: "bool", number: "int" }[typeof value as "string"];
  if (value instanceof Tuple) return value.type;
  if (isList(value)) return "list";
  return typeNames.find(([type]) => value instanceof type)?.[1] ?? "LoopContext";
}

const typeNames = [
  [Dict, "dict"],
  [Float, "float"],
  [Markup, "Markup"],
  [Undefined, "Undefined"],
  [Stream, "generator"],
  [Namespace, "Namespace"],
  [Callable, "function"],
] as const;

/** How many items a value has, undefined for texts and for what has no length. */
export function sizeOf(value: Value): number | undefined {
  if (isList(value)) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  return value instanceof Undefined ? 0 : undefined;
}

/** What Python takes for true. */
export function isTrue(value: Value): boolean {
  if (typeof value !== "object" || value === null) return Boolean(value);
  if (value instanceof Float) return value.value !== 0;
  return value instanceof Markup ? value.text !== "" : sizeOf(value) !== 0;
}

/** A value, or another where there is none: `??` would take None for nothing. */
export const orElse = (value: Value | undefined, otherwise: () => Value): Value =>
  value === undefined ? otherwise() : value;

/** A text that comes of another value: of one that is marked it is marked too. */
export const marked = (text: string, source: Value): string | Markup =>
  source instanceof Markup ? new Markup(text) : text;

export const textOf = (value: string | Markup): string => (typeof value === "string" ? value : value.text);

const surrogate = /[\ud800-\udfff]/;

/** The characters of a text, where Python counts others than JavaScript. */
export function charactersOf(text: string, budget: Budget): string | string[] {
  budget.characters(text.length);
  if (!surrogate.test(text)) return text;
  budget.slots(text.length);
  return Array.from(text);
}

/** How many characters Python counts. */
export function lengthOf(text: string, budget: Budget): number {
  budget.characters(text.length);
  if (!surrogate.test(text)) return text.length;
  budget.step(text.length >> 3);
  let count = 0;
  for (const _ of text) count++;
  return count;
}
