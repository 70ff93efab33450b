/** Attention weights outside the forward pass, for the presses that look at them. */

import { rotate } from "../../rotary/rotate.ts";
import type { LayerEntries } from "../press.ts";

/**
 * The softmax weights that rows of the pass give to a KV head's entries, each row seeing the entries up to itself.
 * @param first first of the pass's kept query rows
 * @param end one behind the last
 * @returns for each query head of the group [end - first, length], 0 where a row does not see
 */
export function attentionWeights(entries: LayerEntries, head: number, first: number, end: number): Float32Array[] {
  const { group, headSize, queryRows, frequencies } = entries;
  const length = entries.length(head);
  const before = length - queryRows;
  const places = entries.queryPlaces(head).subarray(first, end);
  const keys = entries.keys(head);
  return Array.from({ length: group }, (_, member) => {
    const rows = entries.queries(head * group + member).subarray(first * headSize, end * headSize);
    const weights = entries.multiply(rotate(rows, headSize, places, frequencies), keys, headSize);
    for (let row = 0; row < end - first; row++) {
      softmaxRow(weights.subarray(row * length, (row + 1) * length), before + first + row + 1, 1 / Math.sqrt(headSize));
    }
    return weights;
  });
}

/** `attentionWeights` of the last `window` rows, as many as `windowRows` says. */
export function windowAttention(entries: LayerEntries, head: number, window: number): Float32Array[] {
  return attentionWeights(entries, head, entries.queryRows - window, entries.queryRows);
}

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
