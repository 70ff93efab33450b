/** Comparisons of numbers, within a tolerance or bit for bit, that say where they fail. */
import * as assert from "uvu/assert";

/** Half a unit in the last place of 1: what rounding to f32 costs at most, relatively. */
export const ROUNDING = 2 ** -24;

/** Asserts that every value lies within its tolerance of the expected one. */
export function assertNear(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: (index: number) => number,
  name = "",
): void {
  assert.is(actual.length, expected.length, `${name}: length`);
  for (let index = 0; index < expected.length; index++) {
    const difference = Math.abs(actual[index]! - expected[index]!);
    if (!(difference <= tolerance(index))) {
      assert.unreachable(
        `${name}: at ${index} ${actual[index]} instead of ${expected[index]}, off by ${difference}, allowed ${tolerance(index)}`,
      );
    }
  }
}

/** Asserts that numbers, or lists of them in lists of any depth, are the same bit for bit; says only where they first differ. */
export function assertSame(actual: unknown, expected: unknown, name = ""): void {
  if (typeof expected === "number") {
    if (!Object.is(actual, expected)) assert.unreachable(`${name}: ${actual} instead of ${expected}`);
    return;
  }
  const [one, other] = [actual as ArrayLike<unknown>, expected as ArrayLike<unknown>];
  assert.is(one.length, other.length, `${name}: length`);
  for (let index = 0; index < other.length; index++) {
    if (!Object.is(one[index], other[index])) assertSame(one[index], other[index], `${name} [${index}]`);
  }
}

/** The largest |value|. */
export function largestMagnitude(values: ArrayLike<number>): number {
  let largest = 0;
  for (let index = 0; index < values.length; index++) largest = Math.max(largest, Math.abs(values[index]!));
  return largest;
}
