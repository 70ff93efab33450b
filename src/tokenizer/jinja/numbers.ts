/** Python's arithmetic on ints and floats, and texts as numbers. */
import { space } from "./spaces.ts";
import { Fault, Float, integer, isNumber, type Value } from "./values.ts";

type Whole = number | bigint;

/** The value of an int or a boolean, undefined for anything else. */
export function wholeOf(value: Value): Whole | undefined {
  if (typeof value === "boolean") return Number(value);
  return typeof value === "number" || typeof value === "bigint" ? value : undefined;
}

/** The value of a number as a double, undefined for anything else. */
export function doubleOf(value: Value): number | undefined {
  if (!isNumber(value)) return undefined;
  return value instanceof Float ? value.value : Number(value);
}

/** `left operator right` for numbers. @throws Fault as Python would raise */
export function arithmetic(operator: string, left: Value, right: Value): Value {
  const [a, b] = [wholeOf(left), wholeOf(right)];
  if (a !== undefined && b !== undefined && operator !== "/" && !(operator === "**" && b < 0))
    return whole(operator, a, b);
  return new Float(double(operator, doubleOf(left)!, doubleOf(right)!));
}

function whole(operator: string, a: Whole, b: Whole): Whole {
  if (typeof a === "number" && typeof b === "number") {
    const result = exact(operator, a, b);
    // Adding 0 makes 0 of -0.
    if (result !== undefined && Number.isSafeInteger(result)) return result + 0;
  }
  return integer(big(operator, BigInt(a), BigInt(b)));
}

function exact(operator: string, a: number, b: number): number | undefined {
  if (operator === "+") return a + b;
  if (operator === "-") return a - b;
  if (operator === "*") return a * b;
  if (operator === "**") return a ** b;
  if (b === 0) throw new Fault("integer division or modulo by zero");
  const rest = ((a % b) + b) % b;
  return operator === "%" ? rest : (a - rest) / b;
}

function big(operator: string, a: bigint, b: bigint): bigint {
  if (operator === "+") return a + b;
  if (operator === "-") return a - b;
  if (operator === "*") return a * b;
  if (operator === "**") {
    if (a > 1n || a < -1n) {
      if (b > 14_280n || BigInt(a.toString(2).length) * b > 28_560n)
        throw new Fault("an integer has more than 4300 digits");
      return a ** b;
    }
    return a === -1n && b % 2n === 0n ? 1n : b === 0n ? 1n : a;
  }
  if (b === 0n) throw new Fault("integer division or modulo by zero");
  const rest = ((a % b) + b) % b;
  return operator === "%" ? rest : (a - rest) / b;
}

function double(operator: string, a: number, b: number): number {
  if (operator === "+") return a + b;
  if (operator === "-") return a - b;
  if (operator === "*") return a * b;
  if (operator === "**") {
    if (a === 0 && b < 0) throw new Fault("0.0 cannot be raised to a negative power");
    if (a < 0 && !Number.isInteger(b) && Number.isFinite(b)) throw new Fault("complex numbers are not supported");
    // Python has 1 here, JavaScript NaN.
    const result = a === 1 || (a === -1 && !Number.isFinite(b)) ? 1 : a ** b;
    if (!Number.isFinite(result) && Number.isFinite(a) && Number.isFinite(b))
      throw new Fault("Numerical result out of range");
    return a === -1 && Number.isInteger(b) ? a ** b : result;
  }
  if (b === 0) throw new Fault(operator === "/" ? "division by zero" : "float floor division or modulo by zero");
  if (operator === "/") return a / b;
  let rest = a % b;
  if (rest !== 0 && rest < 0 !== b < 0) rest += b;
  if (operator === "%") return rest === 0 ? (b < 0 ? -0 : 0) : rest;
  const quotient = (a - rest) / b;
  const floor = Math.floor(quotient);
  return quotient - floor > 0.5 ? floor + 1 : floor;
}

const decimal = new RegExp(`^${space}*([+-]?)(\\p{Nd}+(?:_\\p{Nd}+)*)${space}*$`, "u");
const floating = new RegExp(
  `^${space}*([+-]?(?:(?:\\d+(?:_\\d+)*)?\\.?(?:\\d+(?:_\\d+)*)?(?:e[+-]?\\d+(?:_\\d+)*)?|inf(?:inity)?|nan))${space}*$`,
  "i",
);

/** `int(text, base)`, undefined where Python raises ValueError. */
export function parseWhole(text: string, base: number): Whole | undefined {
  if (text.length > 4400) return undefined;
  if (base !== 10) return parseInBase(text, base);
  const match = decimal.exec(text);
  if (!match) return undefined;
  const digits = match[2]!.replaceAll("_", "").replace(/[^0-9]/gu, (digit) => String(digitValue(digit)));
  return integer(BigInt(digits) * (match[1] === "-" ? -1n : 1n));
}

/** Decimal digits stand in runs of ten or tens. */
function digitValue(digit: string): number {
  const code = digit.codePointAt(0)!;
  let before = 0;
  while (/\p{Nd}/u.test(String.fromCodePoint(code - before - 1))) before++;
  return before % 10;
}

function parseInBase(text: string, base: number): Whole | undefined {
  const match = new RegExp(`^${space}*([+-]?)(?:0([box])_?)?([0-9a-z]+(?:_[0-9a-z]+)*)${space}*$`, "i").exec(text);
  if (!match || !(base === 0 || (base >= 2 && base <= 36))) return undefined;
  const prefixed = match[2] === undefined ? 0 : { b: 2, o: 8, x: 16 }[match[2].toLowerCase() as "b" | "o" | "x"];
  let digits = match[3]!.replaceAll("_", "").toLowerCase();
  let radix = base;
  if (base === 0) radix = prefixed || (/^0+$|^[1-9]/.test(digits) ? 10 : 37);
  else if (prefixed && prefixed !== base) digits = `0${match[2]!.toLowerCase()}${digits}`;
  let value = 0n;
  for (const digit of digits) {
    const one = Number.parseInt(digit, 36);
    if (one >= radix || radix > 36) return undefined;
    value = value * BigInt(radix) + BigInt(one);
  }
  return integer(match[1] === "-" ? -value : value);
}

/** `float(text)`, undefined where Python raises ValueError. */
export function parseDouble(text: string): number | undefined {
  if (text.length > 4400) return undefined;
  const match = floating.exec(text);
  if (!match) return undefined;
  const number = match[1]!.replaceAll("_", "").toLowerCase();
  if (!/\d/.test(number) && !/inf|nan/.test(number)) return undefined;
  if (/^[+-]?e/.test(number) || /^[+-]?\.e/.test(number)) return undefined;
  if (number.includes("nan")) return Number.NaN;
  if (number.includes("inf")) return number.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return Number(number);
}

/** `int(number)`, towards 0. @throws Fault for infinity and NaN */
export function truncated(value: number): Whole {
  if (!Number.isFinite(value)) throw new Fault("cannot convert float infinity or NaN to integer");
  return integer(BigInt(Math.trunc(value)));
}
