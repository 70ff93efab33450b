/** Non-causal chunked attention, as in Compactor: Calibrated Query-Agnostic KV Cache Compression (Chari and Van Durme 2025, arXiv 2507.08143). */

import { rotate } from "../../rotary/rotate.ts";
import type { LayerEntries, ScorePress } from "../press.ts";
import { checkWhole } from "../tools/check.ts";
import { wholePassPress } from "../tools/course.ts";
import { eachHead, eachMember } from "../tools/each-head.ts";
import { zScores } from "../tools/linear-algebra.ts";
import { meanOf, rowNorms } from "../tools/vectors.ts";
import { averagePooled } from "./snapkv.ts";

/** Settings of the press. */
export interface NonCausalAttentionOptions {
  /** Rows that attend to one another. */
  readonly chunkSize?: number;
}

/**
 * An entry's score is the attention that all rows of its chunk give it, those before it too, times the norm of its value,
 * as a z-score of the layer. As in kvpress, products are not divided by √headSize, and the last chunk is filled up with
 * zero rows that take part.
 * @throws ArgumentError for settings that cannot be
 */
export function nonCausalAttention(options: NonCausalAttentionOptions = {}): ScorePress {
  const { chunkSize = 256 } = options;
  checkWhole({ chunkSize }, 1);
  return wholePassPress("noncausalattention", (entries) =>
    zScores(
      eachHead(entries, (head) => {
        const norms = rowNorms(entries.values(head), entries.headSize);
        const sums = meanOf(
          eachMember(entries, head, (queryHead) => attentionSums(entries, head, queryHead, chunkSize)),
        );
        return averagePooled(
          sums.map((sum, i) => sum * norms[i]!),
          3,
        );
      }),
    ),
  );
}

/** For each entry the sum of the weights that the rows of its chunk give it. */
function attentionSums(entries: LayerEntries, head: number, queryHead: number, chunkSize: number): Float32Array {
  const { headSize } = entries;
  const length = entries.length(head);
  const keys = entries.keys(head);
  const queries = rotate(entries.queries(queryHead), headSize, entries.queryPlaces(head), entries.frequencies);
  const sums = new Float32Array(length);
  for (let first = 0; first < length; first += chunkSize) {
    const end = Math.min(first + chunkSize, length);
    const rows = end - first;
    const part = (source: Float32Array) => source.subarray(first * headSize, end * headSize);
    const products = entries.multiply(part(queries), part(keys), headSize);
    const missing = chunkSize - rows;
    const columns = new Float64Array(rows).fill(missing / chunkSize);
    for (let row = 0; row < rows; row++) {
      const line = products.subarray(row * rows, (row + 1) * rows);
      const largest = line.reduce((a, b) => Math.max(a, b), missing > 0 ? 0 : Number.NEGATIVE_INFINITY);
      const weights = line.map((product) => Math.exp(product - largest));
      const total = weights.reduce((sum, weight) => sum + weight, missing * Math.exp(-largest));
      for (let column = 0; column < rows; column++) columns[column]! += weights[column]! / total;
    }
    sums.set(columns, first);
  }
  return sums;
}
