/** How the numbers along one axis of a tensor are held in the core: in equal runs, each padded with zeros for the kernels. */

/** An axis of `runs` · `length` numbers that takes `runs` · `packedLength` places. */
export interface Axis {
  readonly runs: number;
  readonly length: number;
  readonly packedLength: number;
  /**
   * Of axes of heads, whose two halves are a run each: how many numbers of a half turn with the positions, where that is
   * not all. They come first in their runs, so that pairs that turn lie half a head apart in every model; a file has
   * them first in the head.
   */
  readonly turning?: number | undefined;
}

/** Numbers along the axis. */
export function sizeOf({ runs, length }: Axis): number {
  return runs * length;
}

/** Places that they take. */
export function packedSizeOf({ runs, packedLength }: Axis): number {
  return runs * packedLength;
}

/** Whether numbers are held elsewhere than they stand in a file: padded, or in another order. */
export function isRearranged({ length, packedLength, turning }: Axis): boolean {
  return length !== packedLength || turning !== undefined;
}

/** The same axis where each number takes `bytes` places. */
export function inBytes({ runs, length, packedLength, turning }: Axis, bytes: number): Axis {
  return { runs, length: length * bytes, packedLength: packedLength * bytes, turning: turning && turning * bytes };
}

/** The place that the number `index` of the axis is held in. */
export function placeOf({ length, packedLength, turning = length }: Axis, index: number): number {
  if (turning === length) return Math.floor(index / length) * packedLength + (index % length);
  const head = Math.floor(index / (2 * length));
  const within = index % (2 * length);
  const stays = within >= 2 * turning;
  const [rest, size] = stays ? [within - 2 * turning, length - turning] : [within, turning];
  return (2 * head + Math.floor(rest / size)) * packedLength + (stays ? turning : 0) + (rest % size);
}

/** Calls with each stretch of numbers that stay together: where it begins, its place, its length. */
function eachStretch(axis: Axis, visit: (from: number, place: number, count: number) => void): void {
  const { runs, length, turning = length } = axis;
  const stretches = turning === length ? [length] : [turning, turning, length - turning, length - turning];
  const heads = turning === length ? runs : runs / 2;
  let from = 0;
  for (let head = 0; head < heads; head++) {
    for (const count of stretches) {
      visit(from, placeOf(axis, from), count);
      from += count;
    }
  }
}

/** One row [size] to its places in `target` [packed size]; what lies between them is left as it is. */
export function packRow<T extends Float32Array | Uint8Array>(source: T, target: T, axis: Axis): void {
  eachStretch(axis, (from, place, count) => target.set(source.subarray(from, from + count), place));
}

/** Rows [rows, packed size] as they stand in a file: [rows, size] to `target`. */
export function unpackRows(source: Float32Array, target: Float32Array, axis: Axis): void {
  if (!isRearranged(axis)) {
    target.set(source);
    return;
  }
  const [size, packedSize] = [sizeOf(axis), packedSizeOf(axis)];
  for (let row = 0; row * packedSize < source.length; row++) {
    const held = source.subarray(row * packedSize, (row + 1) * packedSize);
    eachStretch(axis, (from, place, count) => target.set(held.subarray(place, place + count), row * size + from));
  }
}
