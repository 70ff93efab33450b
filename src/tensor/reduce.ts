/** Sums, means and largest elements along an axis. */

/** What an axis comes down to. */
export type Reduction = "sum" | "mean" | "max";

type Numbers = Float32Array | Int32Array;

/**
 * @param source [outer, length, inner]
 * @param target [outer, inner]; sums are formed in f64 and rounded once, in an Int32Array to their lowest 32 bits
 */
export function reduce(
  reduction: Reduction,
  source: Numbers,
  [outer, length, inner]: readonly [number, number, number],
  target: Numbers,
): void {
  const reduceLine = target instanceof Int32Array && reduction === "sum" ? wholeSum : lines[reduction];
  for (let row = 0; row < outer; row++) {
    for (let column = 0; column < inner; column++) {
      const first = row * length * inner + column;
      target[row * inner + column] = reduceLine(source, first, first + length * inner, inner);
    }
  }
}

type Line = (source: Numbers, first: number, end: number, step: number) => number;

const sum: Line = (source, first, end, step) => {
  let total = 0;
  for (let place = first; place < end; place += step) total += source[place]!;
  return total;
};

const wholeSum: Line = (source, first, end, step) => {
  let total = 0;
  for (let place = first; place < end; place += step) total = (total + source[place]!) | 0;
  return total;
};

const lines: Record<Reduction, Line> = {
  sum,
  mean: (source, first, end, step) => (sum(source, first, end, step) * step) / (end - first),
  max(source, first, end, step) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let place = first; place < end; place += step) {
      const value = source[place]!;
      // A NaN is the largest.
      if (Number.isNaN(value)) return value;
      if (value > largest) largest = value;
    }
    return largest;
  },
};
