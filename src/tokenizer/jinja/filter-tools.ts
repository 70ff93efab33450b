/** What the filters of Jinja have in common. */
import { asWhole } from "./arguments.ts";
import { getItem } from "./attributes.ts";
import type { Budget } from "./budget.ts";
import { compareValues } from "./compare.ts";
import { str } from "./text.ts";
import { isText, type Markup, textOf, Undefined, type Value } from "./values.ts";

/** Arguments in the order of a filter's parameters. */
export type Given = readonly (Value | undefined)[];

/** What a filter gives where there is nothing to give. */
export const newUndefined = (message: string) => new Undefined(() => message);

/** A text that is more than a few steps' work. */
export const textFor = (value: Value, budget: Budget) => {
  const text = str(value, budget);
  budget.characters(2 * text.length);
  budget.step(text.length >> 4);
  return text;
};

/** What `attribute=` names: a path of names and numbers, or a number. */
function attributePath(attribute: Value | undefined, budget: Budget): (string | number)[] {
  if (attribute === undefined || attribute === null) return [];
  if (!isText(attribute)) return [asWhole(attribute, 0)];
  return splitNames(attribute, ".", budget).map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** The parts of a text with names, counted as they may be many. */
export function splitNames(names: string | Markup, separator: string, budget: Budget): string[] {
  budget.slots(textOf(names).length);
  budget.step(textOf(names).length);
  return textOf(names).split(separator);
}

/** Gets from an item what `attribute=` names. */
export function getter(attribute: Value | undefined, budget: Budget, otherwise?: Value): (item: Value) => Value {
  const path = attributePath(attribute, budget);
  return (item) => {
    let value = item;
    for (const part of path) {
      value = getItem(value, part, budget);
      if (otherwise !== undefined && otherwise !== null && value instanceof Undefined) value = otherwise;
    }
    return value;
  };
}

/** Texts count as the same whatever their case, unless that matters. */
export const folded = (isSensitive: boolean, budget: Budget) => (value: Value) =>
  isSensitive || !isText(value) ? value : textFor(value, budget).toLowerCase();

/** Sorts as Python does: stable, also in reverse. */
export function sorted(items: Value[], keyOf: (item: Value) => Value, isReverse: boolean, budget: Budget): Value[] {
  budget.slots(2 * items.length);
  const keyed = items.map((item) => ({ item, key: keyOf(item) }));
  keyed.sort((a, b) => (isReverse ? compareValues(b.key, a.key, budget) : compareValues(a.key, b.key, budget)));
  return keyed.map(({ item }) => item);
}

/** Filters whose parameters have names: these, behind the value, and what they do. */
export type SimpleFilters = Readonly<
  Record<string, readonly [parameters: string, apply: (value: Value, given: Given, budget: Budget) => Value]>
>;
