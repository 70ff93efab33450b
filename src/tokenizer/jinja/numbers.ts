/** Python's arithmetic on ints and floats, and texts as numbers. */
import { space } from "./spaces.ts";
import { Fault, Float, isNumber, type Value } from "./values.ts";

/** The value of an int or a boolean, undefined for anything else. */
export function wholeOf(value: Value): number | bigint | undefined {
  if (typeof value === "boolean") return Number(value);
  return typeof value === "number" || typeof value === "bigint" ? value : undefined;
}

/** The value of a number as a double, undefined for anything else. */
export function doubleOf(value: Value): number | undefined {
  if (!isNumber(value)) return undefined;
  return value instanceof Float ? value.value : Number(value);
}

/** An int that is computed. @throws Fault beyond 2^53, where it would not be exact */
export function exact(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Fault("an integer is beyond 2^53, which is not supported");
  // Adding 0 makes 0 of -0.
  return value + 0;
}

/** `left operator right` for numbers. @throws Fault as Python would raise */
export function arithmetic(operator: string, left: Value, right: Value): Value {
  const isWhole = wholeOf(left) !== undefined && wholeOf(right) !== undefined;
  const [a, b] = [doubleOf(left)!, doubleOf(right)!];
  if (!isWhole || operator === "/" || (operator === "**" && b < 0)) return new Float(compute(operator, a, b));
  exact(a);
  exact(b);
  return exact(compute(operator, a, b));
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
      return power(a, b);
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

function power(a: number, b: number): number {
  if (a === 0 && b < 0) throw new Fault("0.0 cannot be raised to a negative power");
  if (a < 0 && Number.isFinite(b) && !Number.isInteger(b)) throw new Fault("complex numbers are not supported");
  // Python has 1 here, JavaScript NaN.
  if (a === 1 || (a === -1 && !Number.isFinite(b))) return 1;
  const result = a ** b;
  if (!Number.isFinite(result) && Number.isFinite(a) && Number.isFinite(b))
    throw new Fault("Numerical result out of range");
  return result;
}

const digits = "\\d+(?:_\\d+)*";
const wholes: Record<number, RegExp> = {
  2: /^[+-]?(?:0b_?)?([01]+(?:_[01]+)*)$/i,
  8: /^[+-]?(?:0o_?)?([0-7]+(?:_[0-7]+)*)$/i,
  10: new RegExp(`^[+-]?(${digits})$`),
  16: /^[+-]?(?:0x_?)?([\da-f]+(?:_[\da-f]+)*)$/i,
};
const double = new RegExp(
  `^[+-]?(?:(?:${digits}\\.?(?:${digits})?|\\.${digits})(?:e[+-]?${digits})?|(inf(?:inity)?|nan))$`,
  "i",
);
const sides = new RegExp(`^${space}+|${space}+$`, "g");

/** A text without the white space and underscores that Python allows in numbers; what is longer is no number that is held exactly. */
const trimmed = (text: string) => (text.length > 1000 ? "" : text.replace(sides, ""));

/** `int(text, base)`, undefined where Python raises ValueError. @throws Fault for other bases than 2, 8, 10 and 16 */
export function parseWhole(text: string, base: number): number | undefined {
  const pattern = wholes[base];
  if (!pattern) throw new Fault(`the base ${base} is not supported`);
  const match = pattern.exec(trimmed(text));
  if (!match) return undefined;
  const value = Number.parseInt(match[1]!.replaceAll("_", ""), base);
  return exact(match[0].startsWith("-") ? -value : value);
}

/** `float(text)`, undefined where Python raises ValueError. */
export function parseDouble(text: string): number | undefined {
  const match = double.exec(trimmed(text));
  if (!match) return undefined;
  const name = match[1]?.toLowerCase();
  const value =
    name === "nan"
      ? Number.NaN
      : name
        ? Number.POSITIVE_INFINITY
        : Number(match[0].replace(/^[+-]/, "").replaceAll("_", ""));
  return match[0].startsWith("-") ? -value : value;
}

/** `int(number)`, towards 0. @throws Fault for infinity and NaN */
export function truncated(value: number): number {
  return exact(Math.trunc(value));
}
