/** Softmax, means and pooling of attention weights. */

/** Softmax of scale · values over the first `visible`, in place; the others become 0. */
export function softmaxRow(values: Float32Array, visible: number, scale: number): void {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < visible; i++) largest = Math.max(largest, values[i]!);
  let sum = 0;
  for (let i = 0; i < visible; i++) {
    const weight = Math.exp((values[i]! - largest) * scale);
    values[i] = weight;
    sum += weight;
  }
  for (let i = 0; i < visible; i++) values[i]! /= sum;
  values.fill(0, visible);
}

/** The mean of each column of [rows, columns]. */
export function columnMeans(matrix: Float32Array, columns: number): Float64Array {
  const means = new Float64Array(columns);
  for (let i = 0; i < matrix.length; i++) means[i % columns]! += matrix[i]!;
  return means.map((sum) => (sum * columns) / matrix.length);
}

/** The mean over `size` neighbours, itself in the middle; beyond the ends there are zeros. */
export function averagePooled(values: Float32Array, size: number): Float32Array {
  const reach = (size - 1) / 2;
  return values.map((_, i) => {
    let sum = 0;
    for (let j = Math.max(0, i - reach); j <= Math.min(values.length - 1, i + reach); j++) sum += values[j]!;
    return sum / size;
  });
}
