/** Symmetric systems of equations in f64, for the presses that measure leverage. */
import { NumericError } from "../../errors.ts";

/** The lower triangular factor L of a positive definite matrix [size, size] = L · Lᵀ; undefined where it is not. */
function cholesky(matrix: Float64Array, size: number): Float64Array | undefined {
  const factor = new Float64Array(size * size);
  for (let row = 0; row < size; row++) {
    for (let column = 0; column <= row; column++) {
      let sum = matrix[row * size + column]!;
      for (let k = 0; k < column; k++) sum -= factor[row * size + k]! * factor[column * size + k]!;
      if (row === column) {
        if (!(sum > 0)) return undefined;
        factor[row * size + row] = Math.sqrt(sum);
      } else {
        factor[row * size + column] = sum / factor[column * size + column]!;
      }
    }
  }
  return factor;
}

/** rowᵀ · matrix⁻¹ · row of every row, from the matrix's Cholesky factor: the squared length of L⁻¹ · row. */
export function inverseForms(factor: Float64Array, size: number, rows: Float32Array): Float64Array {
  const solution = new Float64Array(size);
  return new Float64Array(rows.length / size).map((_, row) => {
    let form = 0;
    for (let i = 0; i < size; i++) {
      let sum = rows[row * size + i]!;
      for (let k = 0; k < i; k++) sum -= factor[i * size + k]! * solution[k]!;
      const value = sum / factor[i * size + i]!;
      solution[i] = value;
      form += value * value;
    }
    return form;
  });
}

/** The Cholesky factor of a matrix plus the smallest multiple of the identity that makes it positive definite. @throws NumericError */
export function regularisedCholesky(matrix: Float64Array, size: number, jitter: number): Float64Array {
  for (let attempt = 0; attempt < 5; attempt++) {
    const shifted = matrix.map((value, i) => (i % (size + 1) === 0 ? value + jitter * 10 ** attempt : value));
    const factor = cholesky(shifted, size);
    if (factor) return factor;
  }
  throw new NumericError("A matrix of keys is not positive definite");
}

/** (score - mean) / standard deviation over all lists together. */
export function zScores(lists: readonly Float32Array[]): Float32Array[] {
  const count = lists.reduce((sum, list) => sum + list.length, 0);
  const total = lists.reduce((sum, list) => sum + list.reduce((part, value) => part + value, 0), 0);
  const mean = total / count;
  const squares = lists.reduce((sum, list) => sum + list.reduce((part, value) => part + (value - mean) ** 2, 0), 0);
  const deviation = Math.max(count > 1 ? Math.sqrt(squares / (count - 1)) : 0, 1e-6);
  return lists.map((list) => list.map((value) => (value - mean) / deviation));
}
