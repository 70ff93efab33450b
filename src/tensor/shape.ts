/** Checks of what tensors are given: shapes, indices, positions. */
import { ArgumentError, ShapeError } from "../errors.ts";

/** The number of elements of a shape. @throws ShapeError for a length that is negative or not whole */
export function elementsOf(shape: readonly number[]): number {
  if (!shape.every((length) => Number.isSafeInteger(length) && length >= 0)) {
    throw new ShapeError(`A shape is made of whole numbers from 0 on, which [${shape}] is not`);
  }
  return shape.reduce((product, length) => product * length, 1);
}

/** The last axis of a shape. @throws ShapeError for a scalar, which has none */
export function lastAxis(shape: readonly number[], operation: string): number {
  const last = shape.at(-1);
  if (last === undefined) throw new ShapeError(`${operation} works along the last axis, and a scalar has no axes`);
  return last;
}

/** Whether two shapes are the same. */
export function sameShape(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((length, axis) => length === b[axis]);
}

/** Row numbers as the core takes them. @throws ArgumentError for one that is not a whole number from 0 to below `rows` */
export function checkedIndices(indices: ArrayLike<number>, rows: number): Int32Array {
  return Int32Array.from(indices, (index, place) => {
    if (!Number.isInteger(index) || index < 0 || index >= rows) {
      throw new ArgumentError(`Index ${index} at place ${place} is not one of the ${rows} rows`);
    }
    return index;
  });
}

/** @throws ArgumentError for a position that is NaN or infinite */
export function checkedPositions(positions: ArrayLike<number>): Float64Array {
  return Float64Array.from(positions, (position, place) => {
    if (!Number.isFinite(position))
      throw new ArgumentError(`Position ${position} at place ${place} is not a finite number`);
    return position;
  });
}
