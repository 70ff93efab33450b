/** Walking through tensors of any shape: strides, broadcasting as NumPy has it, and rows of places. */
import { ArgumentError, ShapeError } from "../errors.ts";
import { show } from "../show.ts";

/** Elements from one index to the next along each axis, in row-major order. */
export function stridesOf(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

/**
 * The shape of a result of two operands: axes are matched from the last, and one of length 1 goes with any length.
 * @throws ShapeError when they do not go together
 */
export function broadcastShape(a: readonly number[], b: readonly number[], operation: string): number[] {
  const axes = Math.max(a.length, b.length);
  return Array.from({ length: axes }, (_, axis) => {
    const [left, right] = [a[axis - axes + a.length] ?? 1, b[axis - axes + b.length] ?? 1];
    if (left !== right && left !== 1 && right !== 1) {
      throw new ShapeError(`${operation} of [${a}] and [${b}]: lengths ${left} and ${right} do not go together`);
    }
    return left === 1 ? right : left;
  });
}

/** Strides of an operand seen in the shape that it is broadcast to: 0 where it is repeated. */
export function broadcastStrides(shape: readonly number[], wide: readonly number[]): number[] {
  const strides = stridesOf(shape);
  return wide.map((_, axis) => {
    const own = axis - wide.length + shape.length;
    return own < 0 || shape[own] === 1 ? 0 : strides[own]!;
  });
}

/**
 * Calls `row` for every run along the last axis of a shape that is not empty.
 * @param strides of each operand
 * @param row hears where the run begins in each operand; the list is the same every time
 */
export function eachRow(
  shape: readonly number[],
  strides: readonly (readonly number[])[],
  row: (starts: readonly number[]) => void,
): void {
  const outer = shape.slice(0, -1);
  const places = outer.map(() => 0);
  const starts = strides.map(() => 0);
  for (;;) {
    row(starts);
    let axis = outer.length - 1;
    for (; axis >= 0; axis--) {
      places[axis]!++;
      for (const [operand, steps] of strides.entries()) starts[operand]! += steps[axis]!;
      if (places[axis]! < outer[axis]!) break;
      for (const [operand, steps] of strides.entries()) starts[operand]! -= steps[axis]! * outer[axis]!;
      places[axis] = 0;
    }
    if (axis < 0) return;
  }
}

/** An axis counted from the front. @throws ArgumentError for one that the shape lacks; negative ones count from the end */
export function checkedAxis(axis: unknown, axes: number, operation: string): number {
  if (!Number.isInteger(axis) || (axis as number) < -axes || (axis as number) >= axes) {
    throw new ArgumentError(
      `${operation}: the axis should be a whole number from ${-axes} to ${axes - 1} and is ${show(axis)}`,
    );
  }
  return (axis as number) < 0 ? (axis as number) + axes : (axis as number);
}
