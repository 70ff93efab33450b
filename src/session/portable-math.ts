/** The exponential function and the logarithm by IEEE arithmetic alone: the same bits on every runtime, as Math.exp and Math.log need not be. */

// ln 2 in two parts: a whole number below 2^21 times the first is exact.
const LN2_HIGH = 0.6931471803691238;
const LN2_LOW = 1.9082149292705877e-10;
const TERMS = 14;
const view = new DataView(new ArrayBuffer(8));

/** e to the power of `x`, to within 2 units of the last place; 0 below the smallest normal number. */
export function exponential(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  if (x > 709) return Number.POSITIVE_INFINITY;
  if (x < -708) return 0;
  const power = Math.round(x / Math.LN2);
  const rest = x - power * LN2_HIGH - power * LN2_LOW;
  let sum = 1;
  for (let term = TERMS; term > 0; term--) sum = 1 + (sum * rest) / term;
  return sum * powerOfTwo(power);
}

/** The natural logarithm of a positive normal number, to within 2 units of the last place or of 1. */
export function logarithm(x: number): number {
  if (x === 0) return Number.NEGATIVE_INFINITY;
  if (!(x > 0) || x === Number.POSITIVE_INFINITY) return x > 0 ? x : Number.NaN;
  view.setFloat64(0, x);
  let power = (view.getUint32(0) >>> 20) - 1023;
  let mantissa = x * powerOfTwo(-power);
  if (mantissa > Math.SQRT2) {
    mantissa /= 2;
    power++;
  }
  // ln m = 2 artanh((m - 1) / (m + 1)), whose argument is at most 0.172.
  const ratio = (mantissa - 1) / (mantissa + 1);
  const square = ratio * ratio;
  let sum = 0;
  for (let odd = 23; odd > 0; odd -= 2) sum = sum * square + 1 / odd;
  return power * LN2_HIGH + (2 * ratio * sum + power * LN2_LOW);
}

/** @param power from -1022 to 1023 */
function powerOfTwo(power: number): number {
  view.setUint32(0, (power + 1023) << 20);
  view.setUint32(4, 0);
  return view.getFloat64(0);
}
