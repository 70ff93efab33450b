/** What a suite hands over to be printed and written: rows of medians over rounds, and of ratios taken within a round. */

/** How a rate (work a second) is shown: tokens/s as it is, floating-point operations in GFLOP/s, and so on. */
const units = {
  "tokens/s": (rate: number) => rate,
  "GFLOP/s": (rate: number) => rate / 1e9,
  "GOP/s": (rate: number) => rate / 1e9,
  "GB/s": (rate: number) => rate / 1e9,
  "ns a row": (rate: number) => 1e9 / rate,
  µs: (rate: number) => 1e6 / rate,
  ms: (rate: number) => 1e3 / rate,
};

/** Of a rate. */
export type Unit = keyof typeof units;

/** One measured thing. */
export interface Row {
  readonly what: string;
  readonly unit: string;
  readonly median: number;
  /** The best round; missing where there is only one. */
  readonly best?: number;
  /** How many times the speed of others this is: medians of the rounds' ratios. */
  readonly ratios?: readonly { readonly value: number; readonly to: string }[];
}

/** What a suite gives. */
export interface Table {
  readonly title: string;
  readonly rows: readonly Row[];
}

/** How a suite is run. */
export interface SuiteOptions {
  /** A short look: fewer and shorter rounds, small documents. */
  readonly quick: boolean;
}

/** The middle value; of an even number the mean of the middle two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
}

/**
 * A row of rates, one for each round.
 * @param bound the same rounds' rates of what they are compared with; the ratio is of speeds
 */
export function rateRow(
  what: string,
  unit: Unit,
  rates: readonly number[],
  bound?: { readonly rates: readonly number[]; readonly to: string },
): Row {
  return {
    what,
    unit,
    median: units[unit](median(rates)),
    ...(rates.length > 1 && { best: units[unit](Math.max(...rates)) }),
    ...(bound && { ratios: [{ value: median(rates.map((rate, round) => rate / bound.rates[round]!)), to: bound.to }] }),
  };
}

/** A row of a number that is no rate: bytes, a share. */
export function plainRow(what: string, unit: string, value: number): Row {
  return { what, unit, median: value };
}
