/** How the numbers along one axis of a tensor are held in the core: in equal runs, each padded with zeros for the kernels. */

/** An axis of `runs` · `length` numbers that takes `runs` · `packedLength` places. */
export interface Axis {
  readonly runs: number;
  readonly length: number;
  readonly packedLength: number;
}

/** Numbers along the axis. */
export function sizeOf({ runs, length }: Axis): number {
  return runs * length;
}

/** Places that they take. */
export function packedSizeOf({ runs, packedLength }: Axis): number {
  return runs * packedLength;
}

/** Whether there is padding. */
export function isPadded({ length, packedLength }: Axis): boolean {
  return length !== packedLength;
}

/** One row [size] to its places in `target` [packed size]; what lies between them is left as it is. */
export function packRow<T extends Float32Array | Uint8Array>(source: T, target: T, axis: Axis): void {
  const { runs, length, packedLength } = axis;
  for (let run = 0; run < runs; run++) {
    target.set(source.subarray(run * length, (run + 1) * length), run * packedLength);
  }
}

/** Rows [rows, packed size] without their padding: [rows, size] to `target`. */
export function unpackRows(source: Float32Array, target: Float32Array, axis: Axis): void {
  if (!isPadded(axis)) {
    target.set(source);
    return;
  }
  const { length, packedLength } = axis;
  for (let from = 0, to = 0; from < source.length; from += packedLength, to += length) {
    target.set(source.subarray(from, from + length), to);
  }
}
