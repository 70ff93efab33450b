/** Expected Attention: KV Cache Compression by Estimating Attention from Future Queries Distribution (Devoto et al. 2025, arXiv 2510.00636). */

import { meanRotation } from "../../rotary/rotate.ts";
import type { LayerEntries, ScorePress } from "../press.ts";
import { columnMeans, softmaxRow } from "../tools/attention.ts";
import { checkWhole, isLongerThan } from "../tools/check.ts";
import { eachHead, eachMember, equalScores, surround } from "../tools/each-head.ts";
import { meanOf, rowDots, rowNorms, transposed } from "../tools/vectors.ts";

/** Settings of the press. */
export interface ExpectedAttentionOptions {
  /** Places behind the text over which the rotation of the queries to come is averaged. */
  readonly nFuturePositions?: number;
  /** First entries that are always kept; their queries are left out of the statistics. */
  readonly nSink?: number;
  /** Whether the queries' covariance counts, not only their mean. */
  readonly useCovariance?: boolean;
  /** Whether a score is multiplied with the norm of the entry's value. */
  readonly useVnorm?: boolean;
  /** Added to a score before that. */
  readonly epsilon?: number;
}

/**
 * An entry's score is the attention that queries to come would give it if they were distributed as those of the text.
 * @throws ArgumentError for settings that cannot be
 */
export function expectedAttention(options: ExpectedAttentionOptions = {}): ScorePress {
  const { nFuturePositions = 512, nSink = 4, useCovariance = true, useVnorm = true, epsilon = 0 } = options;
  checkWhole({ nFuturePositions }, 1);
  checkWhole({ nSink }, 0);
  return {
    kind: "score",
    name: "expectedattention",
    needs: { queryRows: Number.POSITIVE_INFINITY },
    score: (entries) => {
      const { headSize } = entries;
      if (!isLongerThan(entries, "nSink", nSink)) return equalScores(entries);
      const scores = eachHead(entries, (head) => {
        const length = entries.length(head);
        const rotation = futureRotation(entries, head, nFuturePositions);
        const keys = entries.keys(head).subarray(nSink * headSize);
        const expected = meanOf(
          eachMember(entries, head, (queryHead) => {
            const queries = entries.queries(queryHead).subarray(sinkRows(entries, head, nSink) * headSize);
            const mean = matrixTimes(rotation, columnMeans(queries, headSize));
            const weights = entries.multiply(keys, Float32Array.from(mean), headSize);
            if (useCovariance) {
              const covariance = rotatedCovariance(entries, queries, rotation);
              const spread = rowDots(entries.multiply(keys, covariance, headSize), keys, headSize);
              for (let i = 0; i < weights.length; i++) weights[i]! += spread[i]! / (2 * Math.sqrt(headSize));
            }
            softmaxRow(weights, length - nSink, 1 / Math.sqrt(headSize));
            return weights;
          }),
        );
        if (!useVnorm) return expected;
        const norms = rowNorms(entries.values(head).subarray(nSink * headSize), headSize);
        return expected.map((score, i) => (score + epsilon) * norms[i]!);
      });
      return surround(scores, nSink, 0);
    },
  };
}

/** The mean rotation of the places that follow the cache. */
export function futureRotation(entries: LayerEntries, head: number, count: number): Float64Array {
  const next = entries.places(head).at(-1)! + 1;
  return meanRotation(next, count, entries.headSize, entries.frequencies);
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
