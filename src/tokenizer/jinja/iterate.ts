/** Going through what can be iterated, every item counted. */
import type { Budget } from "./budget.ts";
import { Fault } from "./faults.ts";
import { Dict, isList, isText, Stream, Tuple, textOf, typeName, Undefined, type Value } from "./values.ts";

/** Whether Python could iterate over a value. */
export const isIterable = (value: Value): boolean => itemsOf(value) !== undefined;

/** The items of a value. @throws Fault when it has none */
export function iterate(value: Value, budget: Budget): IterableIterator<Value> {
  const items = itemsOf(value);
  if (items === undefined) throw new Fault(`'${typeName(value)}' object is not iterable`);
  if (isText(value)) budget.characters(textOf(value).length);
  return counted(items, budget);
}

/** The items of a value in a list of their own. @throws Fault when it has none */
export function listOf(value: Value, budget: Budget): Value[] {
  const list: Value[] = [];
  for (const item of iterate(value, budget)) {
    budget.slots(1);
    list.push(item);
  }
  return list;
}

/** A generator that makes its items of those of a value when they are wanted. */
export function stream(
  source: Value,
  budget: Budget,
  make: (items: IterableIterator<Value>) => Iterator<Value>,
): Stream {
  budget.objects(8);
  const depth = source instanceof Stream ? source.depth + 1 : 1;
  if (depth > LONGEST) throw new Fault(`it has more than ${LONGEST} generators feed one another`);
  // What cannot be iterated fails when the first item is wanted.
  const start = function* (): Iterator<Value> {
    const made = make(iterate(source, budget));
    for (let next = made.next(); !next.done; next = made.next()) yield next.value;
  };
  return new Stream(start(), depth);
}

/** Each one calls the one before it. */
const LONGEST = 100;

function itemsOf(value: Value): Iterable<Value> | undefined {
  if (isText(value)) return textOf(value);
  if (isList(value) || value instanceof Stream) return value;
  if (value instanceof Tuple) return value.items;
  if (value instanceof Dict) return value.keys();
  return value instanceof Undefined ? [] : undefined;
}

function* counted(items: Iterable<Value>, budget: Budget): IterableIterator<Value> {
  // Not `for of`, which would close a generator that is only looked at in part.
  const iterator = items[Symbol.iterator]();
  for (let next = iterator.next(); !next.done; next = iterator.next()) {
    budget.step();
    yield next.value;
  }
}
