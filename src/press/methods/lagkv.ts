/** LagKV, by how entries lie within the range of those that follow. */
import { definePress, type OptionsOf } from "../define.ts";
import { flag, whole } from "../settings.ts";
import { softmaxRow } from "../tools/attention.ts";
import { eachHead } from "../tools/each-head.ts";

export type LagKVOptions = OptionsOf<typeof lagKV>;

/**
 * An entry's score is how unevenly its key and value lie within the range of the next partition's. The last partitions
 * are kept, and where there are not two, the newest entries score highest.
 */
export const lagKV = definePress({
  name: "lagkv",
  paper:
    "LagKV: Lag-Relative Information of the KV Cache Tells Which Tokens Are Important (Liang et al. 2025, arXiv 2504.04704)",
  options: {
    /** First entries that are always kept. */
    nSink: whole(4, 0),
    /** Entries of a partition; each is measured by the range of the one that follows it. */
    lagSize: whole(128),
    /** Whether scores compare across partitions; else an entry's score is its rank within its own. */
    crossScoring: flag(false),
  },
  score: (layer, { nSink, lagSize, crossScoring }) =>
    eachHead(layer, (head) => {
      const { headSize } = layer;
      const length = layer.length(head);
      const scores = new Float32Array(length).fill(1);
      if (length < nSink + 2 * lagSize) {
        for (let i = nSink; i < length; i++) scores[i] = (i - nSink) / (length - nSink);
        return scores;
      }
      const keys = layer.keys(head);
      const values = layer.values(head);
      for (let first = nSink; first + 2 * lagSize <= length; first += lagSize) {
        const byKeys = partitionScores(keys, first, lagSize, headSize);
        const byValues = partitionScores(values, first, lagSize, headSize);
        const mean = byKeys.map((score, i) => (score + byValues[i]!) / 2);
        scores.set(crossScoring ? mean : ranks(mean).map((rank) => rank / lagSize), first);
      }
      return scores;
    }),
});

/** Softmax over a partition of the standard deviation of each row, scaled by the range of the partition behind it. */
function partitionScores(rows: Float32Array, first: number, lag: number, width: number): Float32Array {
  const low = new Float32Array(width).fill(Number.POSITIVE_INFINITY);
  const high = new Float32Array(width).fill(Number.NEGATIVE_INFINITY);
  for (let i = (first + lag) * width; i < (first + 2 * lag) * width; i++) {
    low[i % width] = Math.min(low[i % width]!, rows[i]!);
    high[i % width] = Math.max(high[i % width]!, rows[i]!);
  }
  const scores = new Float32Array(lag);
  for (let row = 0; row < lag; row++) {
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < width; i++) {
      const scaled = (rows[(first + row) * width + i]! - low[i]!) / (high[i]! - low[i]!);
      sum += scaled;
      squares += scaled * scaled;
    }
    scores[row] = Math.sqrt((squares - (sum * sum) / width) / (width - 1));
  }
  softmaxRow(scores, lag, 1);
  return scores;
}

/** The place of each value in their order, from 0; equal values in the order they stand in. */
function ranks(values: Float32Array): Float32Array {
  const order = Array.from(values.keys()).sort((a, b) => values[a]! - values[b]! || a - b);
  const result = new Float32Array(values.length);
  for (const [rank, index] of order.entries()) result[index] = rank;
  return result;
}
