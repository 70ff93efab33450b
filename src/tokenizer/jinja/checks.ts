/** The tests of Jinja: `value is name`. */
import { bind } from "./arguments.ts";
import type { Budget } from "./budget.ts";
import { compareValues, contains, equals } from "./compare.ts";
import { textFor } from "./filter-tools.ts";
import { isIterable } from "./iterate.ts";
import { remainder } from "./operators.ts";
import { isLower, isUpper } from "./string-methods.ts";
import {
  Attributes,
  Callable,
  Dict,
  Float,
  isList,
  isNumber,
  isText,
  Markup,
  type Named,
  Range,
  Tuple,
  Undefined,
  type Value,
} from "./values.ts";

/** A filter or test: what it is applied to comes first. */
export type Operation = (value: Value, positional: readonly Value[], named: Named, budget: Budget) => Value;

type Given = readonly Value[];

const order = (accept: (order: number) => boolean, operator: string) =>
  [
    1,
    (value: Value, [other]: Given, budget: Budget) => accept(compareValues(value, other!, budget, operator)),
  ] as const;
const equal = [1, (value: Value, [other]: Given, budget: Budget) => equals(value, other!, budget)] as const;
const unequal = [1, (value: Value, [other]: Given, budget: Budget) => !equals(value, other!, budget)] as const;
const below = order((sign) => sign < 0, "<");
const above = order((sign) => sign > 0, ">");
const atMost = order((sign) => sign <= 0, "<=");
const atLeast = order((sign) => sign >= 0, ">=");
const isWhole = (value: Value) => typeof value === "number" || typeof value === "bigint";

/** How many arguments each takes, and whether it holds. */
const simple: Record<string, readonly [count: number, holds: (value: Value, given: Given, budget: Budget) => boolean]> =
  {
    odd: [0, (value, _, budget) => equals(remainder(value, 2, budget), 1, budget)],
    even: [0, (value, _, budget) => equals(remainder(value, 2, budget), 0, budget)],
    divisibleby: [1, (value, [by], budget) => equals(remainder(value, by!, budget), 0, budget)],
    defined: [0, (value) => !(value instanceof Undefined)],
    undefined: [0, (value) => value instanceof Undefined],
    none: [0, (value) => value === null],
    boolean: [0, (value) => typeof value === "boolean"],
    false: [0, (value) => value === false],
    true: [0, (value) => value === true],
    integer: [0, isWhole],
    float: [0, (value) => value instanceof Float],
    lower: [0, (value, _, budget) => isLower(textFor(value, budget), budget)],
    upper: [0, (value, _, budget) => isUpper(textFor(value, budget), budget)],
    string: [0, isText],
    mapping: [0, (value) => value instanceof Dict],
    number: [0, isNumber],
    sequence: [
      0,
      (value) =>
        isText(value) ||
        isList(value) ||
        value instanceof Tuple ||
        value instanceof Dict ||
        value instanceof Range ||
        value instanceof Undefined,
    ],
    iterable: [0, (value) => isIterable(value) || (value instanceof Attributes && value.type === "LoopContext")],
    callable: [
      0,
      (value) =>
        value instanceof Callable ||
        (value instanceof Attributes && value.call !== undefined) ||
        value instanceof Undefined,
    ],
    sameas: [
      1,
      (value, [other], budget) => (typeof value === "string" ? equals(value, other!, budget) : value === other),
    ],
    escaped: [0, (value) => value instanceof Markup],
    in: [1, (value, [list], budget) => contains(list!, value, budget)],
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

/** The tests by name, but those for names of filters and tests. */
export const plainTests: ReadonlyMap<string, Operation> = new Map(
  Object.entries(simple).map(([name, [count, holds]]): [string, Operation] => {
    const parameters = count === 0 ? "" : "other";
    return [
      name,
      (value, positional, named, budget) => {
        budget.step();
        return holds(value, bind(name, parameters, positional, named) as Given, budget);
      },
    ];
  }),
);
