/** CapKV, by what values add to the span of all. */
import { definePress, type OptionsOf } from "../define.ts";
import { number, whole } from "../settings.ts";
import { columnMeans } from "../tools/attention.ts";
import { isLongerThan } from "../tools/check.ts";
import { eachHead, eachMember, equalScores, surround } from "../tools/each-head.ts";
import { inverseForms, regularisedCholesky } from "../tools/linear-algebra.ts";
import { meanOf, rowNorms, transposed } from "../tools/vectors.ts";
import { futureRotation, matrixTimes, sinkRows } from "./expected-attention.ts";

export type CapOptions = OptionsOf<typeof cap>;

/**
 * An entry's score is its weight e^(tau · cosine of its key to the mean query) times the leverage of its value among the
 * weighted values.
 */
export const cap = definePress({
  name: "cap",
  paper: "CapKV: KV cache eviction by the capacity of what the values span (2026, arXiv 2604.25975)",
  options: {
    /** How sharply weights follow the cosine of key and expected query. */
    tau: number(5),
    /** Places behind the text over which the rotation of the queries to come is averaged. */
    nFuturePositions: whole(512),
    /** First entries that are always kept; their queries are left out of the mean. */
    nSink: whole(4, 0),
    /** Added to every weight within the matrix. */
    epsilon: number(1e-6),
  },
  needs: { queryRows: Number.POSITIVE_INFINITY },
  score: (layer, { tau, nFuturePositions, nSink, epsilon }) => {
    const { headSize } = layer;
    if (!isLongerThan(layer, "nSink", nSink)) return equalScores(layer);
    const scores = eachHead(layer, (head) => {
      const length = layer.length(head) - nSink;
      const rotation = futureRotation(layer, head, nFuturePositions);
      const keys = layer.keys(head).subarray(nSink * headSize);
      const values = layer.values(head).subarray(nSink * headSize);
      const norms = rowNorms(keys, headSize);
      return meanOf(
        eachMember(layer, head, (queryHead) => {
          const queries = layer.queries(queryHead).subarray(sinkRows(layer, head, nSink) * headSize);
          const anchor = Float32Array.from(matrixTimes(rotation, columnMeans(queries, headSize)));
          const scale = Math.max(rowNorms(anchor, headSize)[0]!, 1e-12);
          const cosines = layer
            .multiply(keys, anchor, headSize)
            .map((product, i) => Math.min(1, Math.max(-1, product / scale / Math.max(norms[i]!, 1e-12))));
          const largest = cosines.reduce((a, b) => Math.max(a, b));
          const weights = cosines.map((cosine) => Math.exp(tau * (cosine - largest)));
          const columns = transposed(
            values.map((value, i) => value * Math.sqrt(weights[Math.floor(i / headSize)]! + epsilon)),
            headSize,
          );
          const capacity = Float64Array.from(layer.multiply(columns, columns, length));
          const leverages = inverseForms(regularisedCholesky(capacity, headSize, 1), headSize, values);
          return weights.map((weight, i) => weight * leverages[i]!);
        }),
      );
    });
    return surround(scores, nSink, 0);
  },
});
