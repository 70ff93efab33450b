/** SnapKV, by the attention of the text's last rows. */
import { definePress, type OptionsOf } from "../define.ts";
import { odd, whole } from "../settings.ts";
import { averagePooled, columnMeans } from "../tools/attention.ts";
import { windowRows } from "../tools/check.ts";
import { eachHead, equalScores, surround } from "../tools/each-head.ts";
import { meanOf } from "../tools/vectors.ts";

export type SnapKVOptions = OptionsOf<typeof snapKV>;

/** An entry's score is the mean attention that the window's rows give it, smoothed over its neighbours. */
export const snapKV = definePress({
  name: "snapkv",
  paper: "SnapKV: LLM Knows What You Are Looking for Before Generation (Li et al., NeurIPS 2024, arXiv 2404.14469)",
  options: {
    /** Last rows of the text whose attention is observed, and which are always kept. */
    windowSize: whole(64),
    /** Entries over which the attention is averaged; odd. */
    kernelSize: odd(5),
  },
  needs: ({ windowSize }) => ({ queryRows: windowSize }),
  score: (layer, { windowSize, kernelSize }) => {
    const window = windowRows(layer, windowSize);
    if (window === 0) return equalScores(layer);
    const scores = eachHead(layer, (head) => {
      const length = layer.length(head);
      const means = layer.attention(head, window).map((weights) => columnMeans(weights, length));
      return averagePooled(meanOf(means).subarray(0, length - window), kernelSize);
    });
    return surround(scores, 0, window);
  },
});
