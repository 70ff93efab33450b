/** Values that users give as the values that templates compute with. */
import { ArgumentError } from "../../errors.ts";
import { Dict, Float, type Value } from "./values.ts";

/** How much was given. */
export interface Size {
  items: number;
  characters: number;
}

/** Deeper than any schema of a tool. */
const DEEPEST = 200;
/** More than any conversation: an object that stands in several places counts in each. */
const MOST_ITEMS = 2_000_000;

/**
 * @param place where the value is found, for errors
 * @param size what the value holds is added to it
 * @throws ArgumentError for what has no counterpart, holds itself, or is too deep or too much
 */
export function fromJavaScript(value: unknown, place: string, size: Size): Value {
  return new Conversion(size).convert(value, place);
}

class Conversion {
  readonly #size: Size;
  /** The objects that the one at hand lies in. */
  readonly #around = new Set<object>();

  constructor(size: Size) {
    this.#size = size;
  }

  convert(value: unknown, place: string): Value {
    if (++this.#size.items > MOST_ITEMS) throw new ArgumentError(`${place}: there are more than ${MOST_ITEMS} items`);
    switch (typeof value) {
      case "string":
        this.#size.characters += value.length;
        return value;
      case "boolean":
        return value;
      case "number":
        // JavaScript does not tell 2 from 2.0; beyond 2^53 an int would claim digits that it has not.
        return Number.isSafeInteger(value) && !Object.is(value, -0) ? value : new Float(value);
      case "bigint":
        if (BigInt.asIntN(54, value) !== value) throw new ArgumentError(`${place} is an integer beyond 2^53`);
        return Number(value);
      case "undefined":
        return null;
      case "object":
        return value === null ? null : this.#object(value, place);
    }
    throw new ArgumentError(`${place}: a ${typeof value} cannot be given to a template`);
  }

  #object(value: object, place: string): Value {
    if (this.#around.has(value)) throw new ArgumentError(`${place} holds itself`);
    if (this.#around.size >= DEEPEST) throw new ArgumentError(`${place} nests more than ${DEEPEST} deep`);
    this.#around.add(value);
    const result = this.#inside(value, place);
    this.#around.delete(value);
    return result;
  }

  #inside(value: object, place: string): Value {
    if (Array.isArray(value)) {
      const list: Value[] = [];
      for (let index = 0; index < value.length; index++) list.push(this.convert(value[index], `${place}[${index}]`));
      return list;
    }
    const prototype = Object.getPrototypeOf(value);
    // Templates look only whether images and the like are there; transformers gives them the name of the type as well.
    if (!(value instanceof Map) && prototype !== null && Object.getPrototypeOf(prototype) !== null)
      return `<${prototype.constructor?.name ?? "object"}>`;
    const dict = new Dict();
    for (const [key, item] of value instanceof Map ? value : Object.entries(value)) {
      if (typeof key !== "string") throw new ArgumentError(`${place} has a key that is not a string`);
      this.#size.characters += key.length;
      if (item !== undefined) dict.set(key, this.convert(item, `${place}.${key}`), undefined);
    }
    return dict;
  }
}
