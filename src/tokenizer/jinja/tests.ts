/** The tests of Jinja: `value is name`. */
import type { Budget } from "./budget.ts";
import { compareValues, contains, equals } from "./compare.ts";
import { isIterable } from "./iterate.ts";
import { operate } from "./operators.ts";
import { isLower, isUpper, type Method } from "./strings.ts";
import { str } from "./text.ts";
import { Callable, Dict, Float, isNumber, isText, sequenceOf, Undefined, type Value } from "./values.ts";

const alone = (holds: (value: Value, budget: Budget) => boolean): Method<Value> => [
  "",
  (value, _, budget) => holds(value, budget),
];
const beside = (holds: (value: Value, other: Value, budget: Budget) => boolean): Method<Value> => [
  "other",
  (value, [other], budget) => holds(value, other!, budget),
];
const order = (operator: string, accept: (order: number) => boolean) =>
  beside((value, other, budget) => accept(compareValues(value, other, budget, operator)));
const read = (holds: (text: string) => boolean) =>
  alone((value, budget) => {
    const text = str(value, budget);
    budget.text(text);
    return holds(text);
  });

const rest = (value: Value, by: Value, wanted: number, budget: Budget) =>
  equals(operate("%", value, by, budget), wanted, budget);
const equal = beside(equals);
const unequal = beside((value, other, budget) => !equals(value, other, budget));
const below = order("<", (sign) => sign < 0);
const above = order(">", (sign) => sign > 0);
const atMost = order("<=", (sign) => sign <= 0);
const atLeast = order(">=", (sign) => sign >= 0);

export const testMethods: Readonly<Record<string, Method<Value>>> = {
  odd: alone((value, budget) => rest(value, 2, 1, budget)),
  even: alone((value, budget) => rest(value, 2, 0, budget)),
  divisibleby: beside((value, by, budget) => rest(value, by, 0, budget)),
  defined: alone((value) => !(value instanceof Undefined)),
  undefined: alone((value) => value instanceof Undefined),
  none: alone((value) => value === null),
  boolean: alone((value) => typeof value === "boolean"),
  false: alone((value) => value === false),
  true: alone((value) => value === true),
  integer: alone((value) => typeof value === "number"),
  float: alone((value) => value instanceof Float),
  lower: read(isLower),
  upper: read(isUpper),
  string: alone(isText),
  mapping: alone((value) => value instanceof Dict),
  number: alone(isNumber),
  sequence: alone(
    (value) => isText(value) || sequenceOf(value) !== undefined || value instanceof Dict || value instanceof Undefined,
  ),
  iterable: alone(isIterable),
  callable: alone((value) => value instanceof Callable || value instanceof Undefined),
  // A text may be the same object as one that is equal.
  sameas: beside((value, other, budget) => (isText(value) ? equals(value, other, budget) : value === other)),
  in: beside((value, list, budget) => contains(list, value, budget)),
  "==": equal,
  eq: equal,
  equalto: equal,
  "!=": unequal,
  ne: unequal,
  ">": above,
  gt: above,
  greaterthan: above,
  ">=": atLeast,
  ge: atLeast,
  "<": below,
  lt: below,
  lessthan: below,
  "<=": atMost,
  le: atMost,
};
