/** Non-causal attention within chunks. */
import { definePress, type OptionsOf } from "../define.ts";
import type { LayerEntries } from "../press.ts";
import { whole } from "../settings.ts";
import { averagePooled } from "../tools/attention.ts";
import { eachHead, eachMember } from "../tools/each-head.ts";
import { zScores } from "../tools/linear-algebra.ts";
import { meanOf, rowNorms } from "../tools/vectors.ts";

export type NonCausalAttentionOptions = OptionsOf<typeof nonCausalAttention>;

/**
 * An entry's score is the attention that all rows of its chunk give it, those before it too, times the norm of its value,
 * as a z-score of the layer. As in kvpress, products are not scaled, and the last chunk is filled up with zero rows that
 * take part.
 */
export const nonCausalAttention = definePress({
  name: "noncausalattention",
  paper:
    "Non-causal chunked attention, as in Compactor: Calibrated Query-Agnostic KV Cache Compression (Chari and Van Durme 2025, arXiv 2507.08143)",
  options: {
    /** Rows that attend to one another. */
    chunkSize: whole(256),
  },
  wholePass: true,
  score: (layer, { chunkSize }) =>
    zScores(
      eachHead(layer, (head) => {
        const norms = rowNorms(layer.values(head), layer.headSize);
        const sums = meanOf(eachMember(layer, head, (queryHead) => attentionSums(layer, head, queryHead, chunkSize)));
        return averagePooled(
          sums.map((sum, i) => sum * norms[i]!),
          3,
        );
      }),
    ),
});

/** For each entry the sum of the weights that the rows of its chunk give it. */
function attentionSums(layer: LayerEntries, head: number, queryHead: number, chunkSize: number): Float32Array {
  const { headSize } = layer;
  const length = layer.length(head);
  const keys = layer.keys(head);
  const queries = layer.rotatedQueries(queryHead);
  const sums = new Float32Array(length);
  for (let first = 0; first < length; first += chunkSize) {
    const end = Math.min(first + chunkSize, length);
    const rows = end - first;
    const part = (source: Float32Array) => source.subarray(first * headSize, end * headSize);
    const products = layer.multiply(part(queries), part(keys), headSize);
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
