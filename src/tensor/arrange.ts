/** Parts of tensors. */
import { ArgumentError, ShapeError } from "../errors.ts";
import { show } from "../show.ts";

/** Places of an axis, `[from, end]`: negative ones count from its end, as in `Array.slice`; null is the whole axis. */
export type Range = readonly [from: number, end?: number | undefined] | null;

/** Ranges of every axis, within it. @throws ArgumentError, ShapeError as `Tensor.slice` */
export function checkedRanges(ranges: readonly unknown[], shape: readonly number[]): [from: number, end: number][] {
  if (ranges.length > shape.length) {
    throw new ShapeError(`slice of [${shape}] takes a range for each axis at most, not ${ranges.length}`);
  }
  return shape.map((length, axis) => {
    const range = ranges[axis] ?? null;
    if (range === null) return [0, length];
    const isRange =
      Array.isArray(range) &&
      (range.length === 1 || range.length === 2) &&
      Number.isInteger(range[0]) &&
      (range[1] === undefined || Number.isInteger(range[1]));
    if (!isRange) {
      throw new ArgumentError(`slice takes [from, end] of whole numbers for axis ${axis}, or null, not ${show(range)}`);
    }
    const within = (place: number) => Math.min(Math.max(place < 0 ? place + length : place, 0), length);
    const from = within(range[0] as number);
    return [from, Math.max(from, within((range[1] as number | undefined) ?? length))];
  });
}
