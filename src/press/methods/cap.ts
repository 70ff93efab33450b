/** CapKV: KV cache eviction by the capacity of what the values span (2026, arXiv 2604.25975). */

import type { ScorePress } from "../press.ts";
import { columnMeans } from "../tools/attention.ts";
import { checkWhole, isLongerThan } from "../tools/check.ts";
import { eachHead, eachMember, equalScores, surround } from "../tools/each-head.ts";
import { inverseForms, regularisedCholesky } from "../tools/linear-algebra.ts";
import { meanOf, rowNorms, transposed } from "../tools/vectors.ts";
import { futureRotation, matrixTimes, sinkRows } from "./expected-attention.ts";

/** Settings of the press. */
export interface CapOptions {
  /** How sharply weights follow the cosine of key and expected query. */
  readonly tau?: number;
  /** Places behind the text over which the rotation of the queries to come is averaged. */
  readonly nFuturePositions?: number;
  /** First entries that are always kept; their queries are left out of the mean. */
  readonly nSink?: number;
  /** Added to every weight within the matrix. */
  readonly epsilon?: number;
}

/**
 * An entry's score is its weight e^(tau · cosine of its key to the mean query) times the leverage of its value among the
 * weighted values.
 * @throws ArgumentError for settings that cannot be
 */
export function cap(options: CapOptions = {}): ScorePress {
  const { tau = 5, nFuturePositions = 512, nSink = 4, epsilon = 1e-6 } = options;
  checkWhole({ nFuturePositions }, 1);
  checkWhole({ nSink }, 0);
  return {
    kind: "score",
    name: "cap",
    needs: { queryRows: Number.POSITIVE_INFINITY },
    score: (entries) => {
      const { headSize } = entries;
      if (!isLongerThan(entries, "nSink", nSink)) return equalScores(entries);
      const scores = eachHead(entries, (head) => {
        const length = entries.length(head) - nSink;
        const rotation = futureRotation(entries, head, nFuturePositions);
        const keys = entries.keys(head).subarray(nSink * headSize);
        const values = entries.values(head).subarray(nSink * headSize);
        const norms = rowNorms(keys, headSize);
        return meanOf(
          eachMember(entries, head, (queryHead) => {
            const queries = entries.queries(queryHead).subarray(sinkRows(entries, head, nSink) * headSize);
            const anchor = Float32Array.from(matrixTimes(rotation, columnMeans(queries, headSize)));
            const scale = Math.max(rowNorms(anchor, headSize)[0]!, 1e-12);
            const cosines = entries
              .multiply(keys, anchor, headSize)
              .map((product, i) => Math.min(1, Math.max(-1, product / scale / Math.max(norms[i]!, 1e-12))));
            const largest = cosines.reduce((a, b) => Math.max(a, b));
            const weights = cosines.map((cosine) => Math.exp(tau * (cosine - largest)));
            const columns = transposed(
              values.map((value, i) => value * Math.sqrt(weights[Math.floor(i / headSize)]! + epsilon)),
              headSize,
            );
            const capacity = Float64Array.from(entries.multiply(columns, columns, length));
            const leverages = inverseForms(regularisedCholesky(capacity, headSize, 1), headSize, values);
            return weights.map((weight, i) => weight * leverages[i]!);
          }),
        );
      });
      return surround(scores, nSink, 0);
    },
  };
}
