/** Rotation of queries and keys outside the core: by their places, back, and by the mean over places to come. */
import type { RotaryFrequencies } from "./frequencies.ts";

/**
 * Rows of `headSize` turned by a place each, as the decoder turns them; angles are formed in f64.
 * @param places one for each row
 */
export function rotate(
  rows: Float32Array,
  headSize: number,
  places: ArrayLike<number>,
  { inverseFrequencies, attentionFactor }: RotaryFrequencies,
): Float32Array {
  return turned(rows, headSize, places, inverseFrequencies, attentionFactor);
}

/** The opposite of `rotate`: what the rows were before. */
export function unrotate(
  rows: Float32Array,
  headSize: number,
  places: Int32Array,
  { inverseFrequencies, attentionFactor }: RotaryFrequencies,
): Float32Array {
  return turned(
    rows,
    headSize,
    places.map((place) => -place),
    inverseFrequencies,
    1 / attentionFactor,
  );
}

function turned(
  rows: Float32Array,
  headSize: number,
  places: ArrayLike<number>,
  frequencies: Float32Array,
  factor: number,
): Float32Array {
  const result = rows.slice();
  const half = frequencies.length;
  for (let row = 0; row < places.length; row++) {
    for (let i = 0; i < half; i++) {
      const low = row * headSize + i;
      const angle = places[row]! * frequencies[i]!;
      const cosine = Math.cos(angle) * factor;
      const sine = Math.sin(angle) * factor;
      result[low] = rows[low]! * cosine - rows[low + half]! * sine;
      result[low + half] = rows[low + half]! * cosine + rows[low]! * sine;
    }
  }
  return result;
}

/** The mean rotation over `count` places from `first` on: a matrix [headSize, headSize] to multiply columns with. */
export function meanRotation(
  first: number,
  count: number,
  headSize: number,
  { inverseFrequencies, attentionFactor }: RotaryFrequencies,
): Float64Array {
  const matrix = new Float64Array(headSize * headSize);
  const half = inverseFrequencies.length;
  for (let i = 2 * half; i < headSize; i++) matrix[i * headSize + i] = 1;
  for (const [i, frequency] of inverseFrequencies.entries()) {
    let cosine = 0;
    let sine = 0;
    for (let place = first; place < first + count; place++) {
      cosine += Math.cos(place * frequency);
      sine += Math.sin(place * frequency);
    }
    cosine *= attentionFactor / count;
    sine *= attentionFactor / count;
    const high = i + half;
    matrix[i * headSize + i] = cosine;
    matrix[i * headSize + high] = -sine;
    matrix[high * headSize + i] = sine;
    matrix[high * headSize + high] = cosine;
  }
  return matrix;
}

/**
 * Undoes a rotation of one key as it is held, in place.
 * @param turn a rotation row: cosines, then sines
 * @param pairs that turn and were scaled by `factor`
 */
export function turnBack(key: Float32Array, turn: Float32Array, pairs: number, factor: number): void {
  const half = key.length / 2;
  for (let i = 0; i < pairs; i++) {
    const [low, high] = [key[i]! / factor, key[i + half]! / factor];
    key[i] = low * turn[i]! + high * turn[i + half]!;
    key[i + half] = high * turn[i]! - low * turn[i + half]!;
  }
}
