/** Checks of what tensors are given: shapes, numbers, indices, positions. Everything is read once, before memory is asked for. */
import { ArgumentError, MemoryError, ShapeError } from "../errors.ts";
import { show } from "../show.ts";

/** As NumPy has it. */
const MOST_AXES = 64;
/** Elements of 4 bytes in a memory of 32-bit addresses. */
const MOST_ELEMENTS = 2 ** 30;

/** A typed array of any type but 64-bit integers. */
type NumberArray = ArrayLike<number> & { keys(): unknown };

/**
 * A copy of a shape.
 * @throws ShapeError for what is no list of lengths or has more than 64 axes; MemoryError for more elements than can be
 * addressed: as in NumPy, axes of length 0 do not make up for others that are too long
 */
export function checkedShape(shape: unknown): readonly number[] {
  if (!Array.isArray(shape) && !isNumberArray(shape)) {
    throw new ShapeError(`A shape is a list of lengths, not ${show(shape)}`);
  }
  const axes = shape.length;
  if (axes > MOST_AXES) throw new ShapeError(`A shape has at most ${MOST_AXES} axes, not ${axes}`);
  const lengths = Array.from({ length: axes }, (_, axis): unknown => shape[axis]);
  if (!lengths.every((length) => Number.isSafeInteger(length) && (length as number) >= 0)) {
    throw new ShapeError(`A shape is made of whole numbers from 0 on, which [${lengths.map(show)}] is not`);
  }
  const checked = lengths as number[];
  if (elementsOf(checked.filter((length) => length > 0)) > MOST_ELEMENTS) {
    throw new MemoryError(`A tensor has at most ${MOST_ELEMENTS} elements, which the shape [${checked}] exceeds`);
  }
  return checked;
}

/** The number of elements of a checked shape. */
export function elementsOf(shape: readonly number[]): number {
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

/**
 * Numbers that no later code of the caller's can change: typed arrays as they are, other lists copied.
 * @param name what they are, for messages
 * @throws ArgumentError for what is no list of numbers, a list with something else in it, or a detached array
 */
export function checkedNumbers(values: unknown, name: string): ArrayLike<number> {
  if (isNumberArray(values)) {
    try {
      values.keys();
    } catch (cause) {
      throw new ArgumentError(`${name} lie in a buffer that has been detached`, { cause });
    }
    return values;
  }
  const length: unknown = typeof values === "object" && values !== null && "length" in values && values.length;
  if (!Number.isSafeInteger(length) || (length as number) < 0) {
    throw new ArgumentError(`${name} should be a list of numbers, not ${show(values)}`);
  }
  const numbers: number[] = [];
  for (let place = 0; place < (length as number); place++) {
    const value = (values as ArrayLike<unknown>)[place];
    if (typeof value !== "number") {
      throw new ArgumentError(`${name} should be numbers; ${show(value)} stands at place ${place}`);
    }
    numbers.push(value);
  }
  return numbers;
}

/** Numbers in lists of lists of any depth. @throws ShapeError where lists of one depth are not of one length; ArgumentError as `checkedNumbers` */
export function nestedNumbers(values: unknown): { numbers: ArrayLike<number>; shape: readonly number[] } {
  if (!Array.isArray(values) || !Array.isArray(values[0])) {
    const numbers = checkedNumbers(values, "Values");
    return { numbers, shape: [numbers.length] };
  }
  const shape: number[] = [];
  for (let first: unknown = values; Array.isArray(first); first = first[0]) {
    shape.push(first.length);
    if (shape.length > MOST_AXES) throw new ShapeError(`Values are nested more than ${MOST_AXES} deep`);
  }
  const numbers: number[] = [];
  const gather = (list: unknown, depth: number, place: string): void => {
    if (!Array.isArray(list) || list.length !== shape[depth]) {
      throw new ShapeError(
        `Values${place} should be a list of ${shape[depth]}, as the first is, and are ${show(list)}`,
      );
    }
    if (depth < shape.length - 1) {
      for (const [index, inner] of list.entries()) gather(inner, depth + 1, `${place}[${index}]`);
    } else {
      const row = checkedNumbers(list, `Values${place}`);
      for (let index = 0; index < row.length; index++) numbers.push(row[index]!);
    }
  };
  gather(values, 0, "");
  return { numbers, shape };
}

/** Row numbers as the core takes them. @throws ArgumentError for one that is not a whole number from 0 to below `rows` */
export function checkedIndices(indices: ArrayLike<number>, rows: number): Int32Array {
  return convert(Int32Array, indices, (index, place) => {
    if (!Number.isInteger(index) || index < 0 || index >= rows) {
      throw new ArgumentError(`Index ${index} at place ${place} is not one of the ${rows} places`);
    }
  });
}

/** @throws ArgumentError for a position that is NaN or infinite */
export function checkedPositions(positions: ArrayLike<number>): Float64Array {
  return convert(Float64Array, positions, (position, place) => {
    if (!Number.isFinite(position)) {
      throw new ArgumentError(`Position ${position} at place ${place} is not a finite number`);
    }
  });
}

function convert<Target extends Int32Array | Float64Array>(
  target: new (length: number) => Target,
  values: ArrayLike<number>,
  check: (value: number, place: number) => void,
): Target {
  const result = new target(values.length);
  for (let place = 0; place < result.length; place++) {
    const value = values[place]!;
    check(value, place);
    result[place] = value;
  }
  return result;
}

function isNumberArray(values: unknown): values is NumberArray {
  return (
    ArrayBuffer.isView(values) &&
    !(values instanceof DataView || values instanceof BigInt64Array || values instanceof BigUint64Array)
  );
}
