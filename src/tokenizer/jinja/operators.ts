/** Python's operators between values. */
import type { Budget } from "./budget.ts";
import { Fault } from "./faults.ts";
import { percentFormat } from "./format.ts";
import { doubleOf, exact, wholeOf } from "./numbers.ts";
import { escaped } from "./text.ts";
import {
  Float,
  isList,
  isNumber,
  isText,
  Markup,
  marked,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** `left operator right`, one of + - * / // % ** @throws Fault as Python would raise */
export function operate(operator: string, left: Value, right: Value, budget: Budget): Value {
  if (isNumber(left) && isNumber(right)) {
    budget.objects(typeof left === "number" && typeof right === "number" ? 0 : 1);
    return arithmetic(operator, left, right);
  }
  if (operator === "+") return add(left, right, budget);
  if (operator === "*") return multiply(left, right, budget);
  if (operator !== "%" || !isText(left)) return refuse(operator, left, right);
  if (left instanceof Markup) throw new Fault("% behind a text that is marked as safe is not supported");
  return percentFormat(left, right, budget);
}

function refuse(operator: string, left: Value, right: Value): never {
  for (const value of [left, right]) if (value instanceof Undefined) value.fail();
  const sign = operator === "**" ? "** or pow()" : operator;
  throw new Fault(`unsupported operand type(s) for ${sign}: '${typeName(left)}' and '${typeName(right)}'`);
}

/** `left operator right` for numbers. @throws Fault as Python would raise */
export function arithmetic(operator: string, left: Value, right: Value): Value {
  const [a, b] = [doubleOf(left)!, doubleOf(right)!];
  const isFloat = left instanceof Float || right instanceof Float || operator === "/" || (operator === "**" && b < 0);
  const result = compute(operator, a, b);
  return isFloat ? new Float(result) : exact(result);
}

function compute(operator: string, a: number, b: number): number {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "**":
      if (!Number.isFinite(a ** b)) throw new Fault("a power that is not a finite real number is not supported");
      return a ** b;
  }
  if (b === 0) throw new Fault(operator === "/" ? "division by zero" : "integer division or modulo by zero");
  if (operator === "/") return a / b;
  let rest = a % b;
  if (rest !== 0 && rest < 0 !== b < 0) rest += b;
  if (operator === "%") return rest === 0 ? (b < 0 ? -0 : 0) : rest;
  // Python's own way, so that rounding does not show.
  const quotient = (a - rest) / b;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

/** `left + right` */
export function add(left: Value, right: Value, budget: Budget): Value {
  if (isNumber(left) && isNumber(right)) return arithmetic("+", left, right);
  if (isText(left) && isText(right)) {
    if (typeof left === "string" && typeof right === "string") {
      // Runtimes join texts without copying; what reads the whole counts its characters.
      budget.fits(left.length + right.length);
      return left + right;
    }
    const [before, after] = [escaped(left, budget), escaped(right, budget)];
    budget.characters(before.text.length + after.text.length);
    return new Markup(before.text + after.text);
  }
  const [before, after] = [itemsOf(left), itemsOf(right)];
  if (!before || !after || isList(left) !== isList(right)) return refuse("+", left, right);
  budget.slots(before.length + after.length);
  const items = [...before, ...after];
  return isList(left) ? items : new Tuple(items);
}

/** The items of a list or tuple. */
const itemsOf = (value: Value) =>
  isList(value) ? value : value instanceof Tuple && value.type === "tuple" ? value.items : undefined;

/** `left * right`: a text or list so many times */
function multiply(left: Value, right: Value, budget: Budget): Value {
  const [value, times] = wholeOf(left) === undefined ? [left, wholeOf(right)] : [right, wholeOf(left)];
  if (times === undefined) return refuse("*", left, right);
  const count = Math.max(0, times);
  if (isText(value)) {
    budget.characters(textOf(value).length * count);
    return marked(textOf(value) === "" ? "" : textOf(value).repeat(count), value);
  }
  const items = itemsOf(value);
  if (!items) return refuse("*", left, right);
  budget.slots(items.length * count);
  const all: Value[] = [];
  for (let index = 0; items.length > 0 && index < count; index++) for (const item of items) all.push(item);
  return isList(value) ? all : new Tuple(all);
}

/** `-value` or `+value` @throws Fault for what is no number */
export function negated(operator: string, value: Value): Value {
  if (value instanceof Undefined) return value.fail();
  if (!isNumber(value)) throw new Fault(`bad operand type for unary ${operator}: '${typeName(value)}'`);
  return operator === "-" ? arithmetic("*", -1, value) : arithmetic("+", 0, value);
}
