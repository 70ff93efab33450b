/** The values that templates compute with: Python's, held as JavaScript's where the two agree. */
import type { Budget } from "./budget.ts";

/**
 * null is None; a number is an int (a bigint one beyond 2^53, which can be written and compared), floats are objects so that 2.0 stays one; an array is a list.
 * Lists and dicts never change: the sandbox that templates run in forbids it.
 */
export type Value =
  | null
  | boolean
  | number
  | bigint
  | string
  | readonly Value[]
  | Float
  | Markup
  | Tuple
  | Dict
  | Range
  | View
  | Stream
  | Callable
  | Namespace
  | Attributes
  | Undefined;

/** Arguments by name. */
export type Named = ReadonlyMap<string, Value>;

/** What Python would raise. */
export class Fault extends Error {}

/** What the template itself refuses, in its own words. */
export class Refusal extends Error {}

/** A float. */
export class Float {
  constructor(readonly value: number) {}
}

/** A string that `|safe` or `|escape` has marked: what is joined to it with + is escaped. */
export class Markup {
  constructor(readonly text: string) {}
}

/** A tuple; one of `groupby` has names for its items. */
export class Tuple {
  constructor(
    readonly items: readonly Value[],
    readonly names: readonly string[] = [],
  ) {}
}

/** What `range` gives. */
export class Range {
  readonly length: number;
  constructor(
    readonly start: number,
    readonly stop: number,
    readonly step: number,
  ) {
    this.length = Math.max(0, Math.ceil((stop - start) / step));
  }

  at(index: number): number {
    return this.start + index * this.step;
  }

  *[Symbol.iterator](): IterableIterator<Value> {
    for (let index = 0; index < this.length; index++) yield this.at(index);
  }
}

/** Something that gives its items once: a generator. */
export class Stream implements Iterable<Value> {
  constructor(
    readonly iterator: Iterator<Value>,
    /** How many streams feed one another. */
    readonly length: number,
  ) {}

  [Symbol.iterator](): Iterator<Value> {
    return this.iterator;
  }
}

/** A function, method or macro. */
export class Callable {
  constructor(
    readonly name: string,
    readonly call: (positional: readonly Value[], named: Named) => Value,
    readonly attributes: ReadonlyMap<string, Value> = new Map(),
  ) {}
}

/** What `namespace` makes; `set` may change its attributes. */
export class Namespace {
  constructor(readonly attributes: Map<string, Value>) {}
}

/** An object that has nothing but attributes, computed when they are read: `loop`, a cycler. */
export class Attributes {
  constructor(
    readonly type: string,
    readonly get: (name: string) => Value | undefined,
    readonly call?: (positional: readonly Value[]) => Value,
  ) {}
}

/** What a name, attribute or item that is not there gives: prints as nothing and fails in most uses. */
export class Undefined {
  constructor(readonly explain: () => string) {}

  fail(): never {
    throw new Fault(this.explain());
  }
}

type Key = string | number | bigint | symbol | null | object;

const undefinedKey = Symbol("undefined");

/** Equal values have equal keys. @throws Fault for what Python cannot hash, and for tuples of more than scalars */
function keyOf(value: Value, budget: Budget | undefined): Key {
  switch (typeof value) {
    case "string":
      budget?.characters(value.length);
      return value.startsWith("\0") ? `\0s${value}` : value;
    case "boolean":
      return Number(value);
    case "number":
    case "bigint":
      return value;
  }
  if (value === null) return null;
  if (value instanceof Float) return value.value;
  if (value instanceof Markup) return keyOf(value.text, budget);
  if (value instanceof Undefined) return undefinedKey;
  if (value instanceof Tuple) {
    // A tuple of scalars is as good as its text.
    const keys = value.items.map((item) => {
      budget?.step();
      const key = item instanceof Tuple ? item : keyOf(item, budget);
      if (typeof key === "object" && key !== null)
        throw new Fault("a tuple of more than scalars is not supported as a key");
      return typeof key === "string" ? key : [String(key)];
    });
    return `\0t${JSON.stringify(keys)}`;
  }
  if (isList(value) || value instanceof Dict || value instanceof View)
    throw new Fault(`unhashable type: '${typeName(value)}'`);
  return value;
}

/** A dict. */
export class Dict {
  readonly #values = new Map<Key, Value>();
  /** Keys that are not the strings they are found by. */
  #names: Map<Key, Value> | undefined;

  static of(entries: Iterable<readonly [Value, Value]>, budget: Budget): Dict {
    const dict = new Dict();
    for (const [key, value] of entries) dict.set(key, value, budget);
    return dict;
  }

  /** For those that make a dict; afterwards it does not change. @param budget what a template makes counts */
  set(name: Value, value: Value, budget: Budget | undefined): void {
    budget?.objects(2);
    const key = keyOf(name, budget);
    if (key !== name && !this.#values.has(key)) {
      this.#names ??= new Map();
      this.#names.set(key, name);
    }
    this.#values.set(key, value);
  }

  get(name: Value, budget: Budget): Value | undefined {
    return this.#values.get(keyOf(name, budget));
  }

  has(name: Value, budget: Budget): boolean {
    return this.#values.has(keyOf(name, budget));
  }

  get size(): number {
    return this.#values.size;
  }

  *keys(): IterableIterator<Value> {
    for (const key of this.#values.keys()) yield this.#nameOf(key);
  }

  values(): IterableIterator<Value> {
    return this.#values.values();
  }

  *entries(): IterableIterator<[Value, Value]> {
    for (const [key, value] of this.#values) yield [this.#nameOf(key), value];
  }

  #nameOf(key: Key): Value {
    const name = this.#names?.get(key);
    return name === undefined ? (key as Value) : name;
  }
}

/** What a dict's keys(), values() and items() give. */
export class View {
  constructor(
    readonly kind: "keys" | "values" | "items",
    readonly dict: Dict,
  ) {}

  *[Symbol.iterator](): IterableIterator<Value> {
    if (this.kind === "keys") yield* this.dict.keys();
    else if (this.kind === "values") yield* this.dict.values();
    else for (const entry of this.dict.entries()) yield new Tuple(entry);
  }
}

export const isText = (value: Value): value is string | Markup => typeof value === "string" || value instanceof Markup;

export const isNumber = (value: Value): value is number | bigint | boolean | Float =>
  typeof value === "number" || typeof value === "bigint" || typeof value === "boolean" || value instanceof Float;

export const isList = (value: Value): value is readonly Value[] => Array.isArray(value);

/** The name of a value's type, for errors. */
export function typeName(value: Value): string {
  switch (typeof value) {
    case "string":
      return "str";
    case "boolean":
      return "bool";
    case "number":
    case "bigint":
      return "int";
  }
  if (value === null) return "NoneType";
  if (isList(value)) return "list";
  if (value instanceof Attributes) return value.type;
  if (value instanceof View) return `dict_${value.kind}`;
  for (const [type, name] of typeNames) if (value instanceof type) return name;
  return "object";
}

const typeNames = [
  [Dict, "dict"],
  [Float, "float"],
  [Tuple, "tuple"],
  [Markup, "Markup"],
  [Undefined, "Undefined"],
  [Range, "range"],
  [Stream, "generator"],
  [Namespace, "Namespace"],
  [Callable, "function"],
] as const;

/** How many items a value has, undefined for texts and for what has no length. */
export function sizeOf(value: Value): number | undefined {
  if (isList(value) || value instanceof Range) return value.length;
  if (value instanceof Tuple) return value.items.length;
  if (value instanceof Dict) return value.size;
  if (value instanceof View) return value.dict.size;
  if (value instanceof Undefined) return 0;
  if (value instanceof Attributes) return value.get("length") as number | undefined;
  return undefined;
}

/** What Python takes for true. */
export function isTrue(value: Value): boolean {
  if (typeof value === "boolean") return value;
  if (typeof value === "string") return value !== "";
  if (value === null) return false;
  if (isNumber(value)) return Number(value instanceof Float ? value.value : value) !== 0;
  if (value instanceof Markup) return value.text !== "";
  return sizeOf(value) !== 0;
}

/** A value, or another where there is none: `??` would take None for nothing. */
export const orElse = (value: Value | undefined, otherwise: () => Value): Value =>
  value === undefined ? otherwise() : value;

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
