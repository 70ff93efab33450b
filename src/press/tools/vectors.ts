/** Sums, norms and products of rows, as several presses need them. */

/** L2 norm of each row of `width`. */
export function rowNorms(rows: Float32Array, width: number): Float64Array {
  return rowDots(rows, rows, width).map(Math.sqrt);
}

/** Product of each row of `a` with the same row of `b`, rows of `width`. */
export function rowDots(a: ArrayLike<number>, b: ArrayLike<number>, width: number): Float64Array {
  const result = new Float64Array(a.length / width);
  for (let row = 0; row < result.length; row++) {
    let sum = 0;
    for (let i = row * width; i < (row + 1) * width; i++) sum += a[i]! * b[i]!;
    result[row] = sum;
  }
  return result;
}

/** Rows of `width` picked by their indices. */
export function pickRows(rows: Float32Array, width: number, indices: ArrayLike<number>): Float32Array {
  const result = new Float32Array(indices.length * width);
  for (let row = 0; row < indices.length; row++) {
    result.set(rows.subarray(indices[row]! * width, (indices[row]! + 1) * width), row * width);
  }
  return result;
}

/** [rows, columns] turned around: [columns, rows]. */
export function transposed(matrix: Float32Array, columns: number): Float32Array {
  const rows = matrix.length / columns;
  const result = new Float32Array(matrix.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) result[column * rows + row] = matrix[row * columns + column]!;
  }
  return result;
}

/** The mean of arrays of one length, value by value. */
export function meanOf(lists: readonly ArrayLike<number>[]): Float32Array {
  return Float32Array.from({ length: lists[0]!.length }, (_, i) => {
    let sum = 0;
    for (const list of lists) sum += list[i]!;
    return sum / lists.length;
  });
}

/** The largest value of all lists. */
export function largestOf(lists: readonly Float32Array[]): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (const list of lists) for (const value of list) largest = Math.max(largest, value);
  return largest;
}

/** The whole numbers from `first` to below `end`. */
export function range(first: number, end: number): Int32Array {
  return Int32Array.from({ length: Math.max(0, end - first) }, (_, i) => first + i);
}

/** The nearest whole number, the even one of two: as Python rounds. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return Math.round(value);
}
