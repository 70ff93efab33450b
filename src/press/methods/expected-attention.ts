/** Expected Attention, by the distribution of queries to come. */
import { definePress, type OptionsOf } from "../define.ts";
import type { LayerEntries } from "../press.ts";
import { flag, number, whole } from "../settings.ts";
import { columnMeans, softmaxRow } from "../tools/attention.ts";
import { isLongerThan } from "../tools/check.ts";
import { eachHead, eachMember, equalScores, surround } from "../tools/each-head.ts";
import { meanOf, rowDots, rowNorms, transposed } from "../tools/vectors.ts";

export type ExpectedAttentionOptions = OptionsOf<typeof expectedAttention>;

/** An entry's score is the attention that queries to come would give it if they were distributed as those of the text. */
export const expectedAttention = definePress({
  name: "expectedattention",
  paper:
    "Expected Attention: KV Cache Compression by Estimating Attention from Future Queries Distribution (Devoto et al. 2025, arXiv 2510.00636)",
  options: {
    /** Places behind the text over which the rotation of the queries to come is averaged. */
    nFuturePositions: whole(512),
    /** First entries that are always kept; their queries are left out of the statistics. */
    nSink: whole(4, 0),
    /** Whether the queries' covariance counts, not only their mean. */
    useCovariance: flag(true),
    /** Whether a score is multiplied with the norm of the entry's value. */
    useVnorm: flag(true),
    /** Added to a score before that. */
    epsilon: number(0),
  },
  needs: { queryRows: Number.POSITIVE_INFINITY },
  score: (layer, { nFuturePositions, nSink, useCovariance, useVnorm, epsilon }) => {
    const { headSize, attentionScale } = layer;
    if (!isLongerThan(layer, "nSink", nSink)) return equalScores(layer);
    const scores = eachHead(layer, (head) => {
      const rotation = futureRotation(layer, head, nFuturePositions);
      const keys = layer.keys(head).subarray(nSink * headSize);
      const expected = meanOf(
        eachMember(layer, head, (queryHead) => {
          const queries = layer.queries(queryHead).subarray(sinkRows(layer, head, nSink) * headSize);
          const mean = matrixTimes(rotation, columnMeans(queries, headSize));
          const weights = layer.multiply(keys, Float32Array.from(mean), headSize);
          if (useCovariance) {
            const covariance = rotatedCovariance(layer, queries, rotation);
            const spread = rowDots(layer.multiply(keys, covariance, headSize), keys, headSize);
            for (let i = 0; i < weights.length; i++) weights[i]! += (spread[i]! * attentionScale) / 2;
          }
          softmaxRow(weights, weights.length, attentionScale);
          return weights;
        }),
      );
      if (!useVnorm) return expected;
      const norms = rowNorms(layer.values(head).subarray(nSink * headSize), headSize);
      return expected.map((score, i) => (score + epsilon) * norms[i]!);
    });
    return surround(scores, nSink, 0);
  },
});

/** The mean rotation of the places that follow the cache. */
export function futureRotation(entries: LayerEntries, head: number, count: number): Float64Array {
  const next = entries.places(head).at(-1)! + 1;
  return entries.meanRotation(next, count);
}

/** The pass's kept query rows that belong to the text's first `nSink` tokens, which stand for nothing to come. */
export function sinkRows(entries: LayerEntries, head: number, nSink: number): number {
  const positions = entries.positions(head).subarray(entries.length(head) - entries.queryRows);
  return positions.filter((position) => position < nSink).length;
}

/** matrix [n, n] times a vector. */
export function matrixTimes(matrix: Float64Array, vector: Float64Array): Float64Array {
  const size = vector.length;
  return vector.map((_, row) => {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += matrix[row * size + i]! * vector[i]!;
    return sum;
  });
}

/** R · covariance · Rᵀ of rows: [headSize, headSize]. */
function rotatedCovariance(entries: LayerEntries, rows: Float32Array, rotation: Float64Array): Float32Array {
  const { headSize } = entries;
  const mean = columnMeans(rows, headSize);
  const columns = transposed(
    rows.map((value, i) => value - mean[i % headSize]!),
    headSize,
  );
  const count = rows.length / headSize;
  const covariance = entries.multiply(columns, columns, count).map((sum) => sum / count);
  const turn = Float32Array.from(rotation);
  // The covariance is symmetric, so R C is what rows of R times rows of C give.
  return entries.multiply(entries.multiply(turn, covariance, headSize), turn, headSize);
}
