/** Floats with a given number of digits, rounded half to even as C and Python do. */
import { Fault } from "./values.ts";

/** More digits than that no double can be told apart by; JavaScript gives no more. */
const MOST_DIGITS = 100;

/** The first digits of a finite number that is not negative, and the power of ten of the first. */
function rounded(value: number, keep: (power: number) => number): { digits: string; power: number } {
  const [mantissa, exponent] = (Number.isFinite(value) ? value : 0).toExponential(MOST_DIGITS).split("e") as [
    string,
    string,
  ];
  let power = Number(exponent);
  const all = mantissa.replace(".", "");
  const count = keep(power);
  if (count < 0) return { digits: "", power };
  const head = all.slice(0, count).padEnd(count, "0");
  const tail = all.slice(count);
  const isTie = /^50*$/.test(tail);
  const up = isTie ? Number(head.at(-1) ?? 0) % 2 === 1 : tail > "5";
  if (!up) return { digits: head, power };
  const digits = (BigInt(head || 0) + 1n).toString().padStart(count, "0");
  if (digits.length > count) power++;
  return { digits, power };
}

function checked(precision: number): void {
  if (precision > MOST_DIGITS) throw new Fault(`a number with more than ${MOST_DIGITS} decimals is not supported`);
}

/** `%.{precision}f` of a finite number that is not negative. */
export function fixedText(value: number, precision: number): string {
  checked(precision);
  if (value === 0) return precision === 0 ? "0" : `0.${"0".repeat(precision)}`;
  const { digits } = rounded(value, (power) => power + 1 + precision);
  const all = digits.padStart(precision + 1, "0");
  const point = all.length - precision;
  return precision === 0 ? all : `${all.slice(0, point)}.${all.slice(point)}`;
}

/** `%.{precision}e` of a finite number that is not negative. */
export function exponentialText(value: number, precision: number): string {
  checked(precision);
  const { digits, power } = rounded(value, () => precision + 1);
  const fraction = digits.slice(1, precision + 1);
  return `${digits[0]}${fraction && `.${fraction}`}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

/** `%.{precision}g` of a finite number that is not negative. */
export function generalText(value: number, precision: number): string {
  const significant = Math.max(1, precision);
  checked(significant);
  const exponential = exponentialText(value, significant - 1);
  const power = Number(exponential.slice(exponential.indexOf("e") + 1));
  const [mantissa, exponent] =
    power < -4 || power >= significant
      ? exponential.split("e")
      : [fixedText(value, Math.max(0, significant - 1 - power)), undefined];
  const short = mantissa!.includes(".") ? mantissa!.replace(/\.?0+$/, "") : mantissa;
  return exponent === undefined ? short! : `${short}e${exponent}`;
}

/** `round(value, digits)` for a float and digits from -400 to 100. */
export function roundedTo(value: number, digits: number): number {
  if (!Number.isFinite(value) || digits > MOST_DIGITS) return value;
  const size = Math.abs(value);
  const result = digits >= 0 ? Number(fixedText(size, digits)) : roundedTens(size, -digits);
  return value < 0 || Object.is(value, -0) ? -result : result;
}

function roundedTens(value: number, zeros: number): number {
  const { digits } = rounded(value, (power) => power + 1 - zeros);
  return digits === "" ? 0 : Number(`${digits}e${zeros}`);
}
