/** SnapKV: LLM Knows What You Are Looking for Before Generation (Li et al., NeurIPS 2024, arXiv 2404.14469). */
import { ArgumentError } from "../../errors.ts";
import { show } from "../../show.ts";
import type { ScorePress } from "../press.ts";
import { columnMeans, windowAttention } from "../tools/attention.ts";
import { checkWhole, windowRows } from "../tools/check.ts";
import { eachHead, equalScores, surround } from "../tools/each-head.ts";
import { meanOf } from "../tools/vectors.ts";

/** Settings of the press. */
export interface SnapKVOptions {
  /** Last rows of the text whose attention is observed, and which are always kept. */
  readonly windowSize?: number;
  /** Entries over which the attention is averaged; odd. */
  readonly kernelSize?: number;
}

/**
 * An entry's score is the mean attention that the window's rows give it, smoothed over its neighbours.
 * @throws ArgumentError for settings that cannot be
 */
export function snapKV(options: SnapKVOptions = {}): ScorePress {
  const { windowSize = 64, kernelSize = 5 } = options;
  checkWhole({ windowSize, kernelSize }, 1);
  if (kernelSize % 2 === 0) throw new ArgumentError(`kernelSize should be odd and is ${show(kernelSize)}`);
  return {
    kind: "score",
    name: "snapkv",
    needs: { queryRows: windowSize },
    score: (entries) => {
      const window = windowRows(entries, windowSize);
      if (window === 0) return equalScores(entries);
      const scores = eachHead(entries, (head) => {
        const length = entries.length(head);
        const means = windowAttention(entries, head, window).map((weights) => columnMeans(weights, length));
        return averagePooled(meanOf(means).subarray(0, length - window), kernelSize);
      });
      return surround(scores, 0, window);
    },
  };
}

/** The mean over `size` neighbours, itself in the middle; beyond the ends there are zeros. */
export function averagePooled(values: Float32Array, size: number): Float32Array {
  const reach = (size - 1) / 2;
  return values.map((_, i) => {
    let sum = 0;
    for (let j = Math.max(0, i - reach); j <= Math.min(values.length - 1, i + reach); j++) sum += values[j]!;
    return sum / size;
  });
}
