/** Equality, order and membership, as Python has them. */
import type { Budget } from "./budget.ts";
import { Fault } from "./faults.ts";
import { occurrences } from "./search.ts";
import {
  Dict,
  Float,
  isList,
  isNumber,
  isText,
  lengthOf,
  Stream,
  sizeOf,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

const numeric = (value: number | boolean | Float) => Number(value instanceof Float ? value.value : value);

/** `a == b` */
export function equals(a: Value, b: Value, budget: Budget): boolean {
  budget.step();
  // Before anything else: the runtime's own comparison would read both, uncounted.
  if (isText(a)) return isText(b) && sameText(textOf(a), textOf(b), budget);
  if (isNumber(a) && isNumber(b)) return numeric(a) === numeric(b);
  if (a === b || (a instanceof Undefined && b instanceof Undefined)) return true;
  const [left, right] = [itemsOf(a), itemsOf(b)];
  if (left && right)
    return (
      typeName(a) === typeName(b) &&
      left.length === right.length &&
      budget.nested(() => left.every((item, index) => equals(item, right[index]!, budget)))
    );
  if (!(a instanceof Dict && b instanceof Dict) || a.size !== b.size) return false;
  return budget.nested(() => {
    for (const [key, value] of a.entries()) {
      const other = b.get(key, budget);
      if (other === undefined || !equals(value, other, budget)) return false;
    }
    return true;
  });
}

const itemsOf = (value: Value) => (isList(value) ? value : value instanceof Tuple ? value.items : undefined);

function sameText(a: string, b: string, budget: Budget): boolean {
  if (a.length !== b.length) return false;
  budget.characters(a.length);
  return a === b;
}

/** Below 0 when a comes first, 0 when they are equal. @throws Fault for values that have no order */
export function compareValues(a: Value, b: Value, budget: Budget, operator = "<"): number {
  budget.step();
  if (isNumber(a) && isNumber(b)) {
    const [left, right] = [numeric(a), numeric(b)];
    return left < right ? -1 : left > right ? 1 : left === right ? 0 : Number.NaN;
  }
  if (isText(a) && isText(b)) return compareTexts(textOf(a), textOf(b), budget);
  const [left, right] = [itemsOf(a), itemsOf(b)];
  if (left && right && (isList(a) ? isList(b) : typeName(a) === "tuple" && typeName(b) === "tuple"))
    return budget.nested(() => {
      const length = Math.min(left.length, right.length);
      for (let index = 0; index < length; index++)
        if (!equals(left[index]!, right[index]!, budget))
          return compareValues(left[index]!, right[index]!, budget, operator);
      return left.length - right.length;
    });
  for (const value of [a, b]) if (value instanceof Undefined) value.fail();
  throw new Fault(`'${operator}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** By code points; JavaScript's own order is by UTF-16 units. */
function compareTexts(a: string, b: string, budget: Budget): number {
  const length = Math.min(a.length, b.length);
  budget.characters(length);
  for (let index = 0; index < length; index++) {
    const [left, right] = [a.charCodeAt(index), b.charCodeAt(index)];
    if (left === right) continue;
    const high = (unit: number) => (unit >= 0xd800 && unit <= 0xdfff ? 1 : 0);
    return high(left) - high(right) || left - right;
  }
  return a.length - b.length;
}

/** `item in container` @throws Fault for what contains nothing */
export function contains(container: Value, item: Value, budget: Budget): boolean {
  budget.step();
  if (isText(container)) {
    if (!isText(item)) throw new Fault(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    return occurrences(textOf(container), textOf(item), budget, { most: 1 }).length > 0;
  }
  if (container instanceof Dict) return container.has(item, budget);
  if (container instanceof Undefined) return false;
  const items = container instanceof Stream ? container : itemsOf(container);
  if (!items) throw new Fault(`argument of type '${typeName(container)}' is not iterable`);
  for (const one of items) if (equals(one, item, budget)) return true;
  return false;
}

/** `len(value)` @throws Fault for what has no length */
export function length(value: Value, budget: Budget): number {
  const size = isText(value) ? lengthOf(textOf(value), budget) : sizeOf(value);
  if (size === undefined) throw new Fault(`object of type '${typeName(value)}' has no len()`);
  return size;
}
