/** Observed attention, after H2O: Heavy-Hitter Oracle for Efficient Generative Inference of LLMs (Zhang et al., NeurIPS 2023, arXiv 2306.14048). */

import type { ScorePress } from "../press.ts";
import { attentionWeights, columnMeans } from "../tools/attention.ts";
import { wholePassPress } from "../tools/course.ts";
import { eachHead } from "../tools/each-head.ts";

/** Rows whose weights are held at once. */
const BLOCK = 256;

/** An entry's score is the mean attention that all rows that see it gave it during the pass. */
export function observedAttention(): ScorePress {
  return wholePassPress("observedattention", (entries) =>
    eachHead(entries, (head) => {
      const length = entries.length(head);
      const sums = new Float64Array(length);
      for (let first = 0; first < length; first += BLOCK) {
        const end = Math.min(first + BLOCK, length);
        for (const weights of attentionWeights(entries, head, first, end)) {
          const means = columnMeans(weights, length);
          for (let i = 0; i < length; i++) sums[i]! += means[i]! * (end - first);
        }
      }
      return Float32Array.from(sums, (sum, entry) => sum / (length - entry) / entries.group);
    }),
  );
}
