/** Python's operators between values. */
import type { Budget } from "./budget.ts";
import { percentFormat } from "./format.ts";
import { arithmetic, wholeOf } from "./numbers.ts";
import { escaped } from "./text.ts";
import { Fault, isList, isNumber, isText, Markup, Tuple, textOf, typeName, Undefined, type Value } from "./values.ts";

/** `left operator right`, one of + - * / // % ** @throws Fault as Python would raise */
export function operate(operator: string, left: Value, right: Value, budget: Budget): Value {
  if (isNumber(left) && isNumber(right)) {
    budget.objects(typeof left === "number" && typeof right === "number" ? 0 : 1);
    return arithmetic(operator, left, right);
  }
  if (operator === "+") return add(left, right, budget);
  if (operator === "*") return multiply(left, right, budget);
  if (operator === "%") return remainder(left, right, budget);
  return refuse(operator, left, right);
}

function refuse(operator: string, left: Value, right: Value): never {
  for (const value of [left, right]) if (value instanceof Undefined) value.fail();
  const sign = operator === "**" ? "** or pow()" : operator;
  throw new Fault(`unsupported operand type(s) for ${sign}: '${typeName(left)}' and '${typeName(right)}'`);
}

/** `left + right` */
export function add(left: Value, right: Value, budget: Budget): Value {
  if (isNumber(left) && isNumber(right)) return arithmetic("+", left, right);
  if (isText(left) && isText(right)) {
    if (typeof left === "string" && typeof right === "string") {
      // Runtimes join texts without copying; what reads the whole counts its characters.
      budget.objects();
      return left + right;
    }
    const [before, after] = [escaped(left, budget), escaped(right, budget)];
    budget.characters(before.text.length + after.text.length);
    return new Markup(before.text + after.text);
  }
  const [before, after] = [itemsOf(left), itemsOf(right)];
  if (before && after && isList(left) === isList(right)) {
    budget.slots(before.length + after.length);
    const items = [...before, ...after];
    return isList(left) ? items : new Tuple(items);
  }
  return refuse("+", left, right);
}

const itemsOf = (value: Value) => (isList(value) ? value : value instanceof Tuple ? value.items : undefined);

/** `left * right`: numbers, or a text or list so many times */
function multiply(left: Value, right: Value, budget: Budget): Value {
  const [value, times] = wholeOf(left) === undefined ? [left, wholeOf(right)] : [right, wholeOf(left)];
  if (times === undefined) return refuse("*", left, right);
  const count = Math.max(0, Number(times));
  if (isText(value)) {
    budget.characters(textOf(value).length * count);
    const text = textOf(value) === "" ? "" : textOf(value).repeat(count);
    return value instanceof Markup ? new Markup(text) : text;
  }
  const items = itemsOf(value);
  if (!items) return refuse("*", left, right);
  budget.slots(items.length * count);
  const all: Value[] = [];
  for (let index = 0; items.length > 0 && index < count; index++) for (const item of items) all.push(item);
  return isList(value) ? all : new Tuple(all);
}

/** `left % right`: of numbers, or a text with values put in */
export function remainder(left: Value, right: Value, budget: Budget): Value {
  if (isNumber(left) && isNumber(right)) return arithmetic("%", left, right);
  if (!isText(left)) return refuse("%", left, right);
  const text = percentFormat(textOf(left), right, budget);
  return left instanceof Markup ? new Markup(text) : text;
}

/** `-value` or `+value` @throws Fault for what is no number */
export function negated(operator: string, value: Value): Value {
  if (value instanceof Undefined) return value.fail();
  if (!isNumber(value)) throw new Fault(`bad operand type for unary ${operator}: '${typeName(value)}'`);
  return operator === "-" ? arithmetic("*", -1, value) : arithmetic("+", 0, value);
}
