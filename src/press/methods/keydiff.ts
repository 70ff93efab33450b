/** KeyDiff: Key Similarity-Based KV Cache Eviction for Long-Context LLM Inference (Park et al. 2025, arXiv 2504.15364). */

import type { ScorePress } from "../press.ts";
import { columnMeans } from "../tools/attention.ts";
import { eachHead } from "../tools/each-head.ts";
import { rowNorms } from "../tools/vectors.ts";

/** Keeps the entries whose keys point least where the others do: cosine to the mean of the keys' directions. */
export function keyDiff(): ScorePress {
  return {
    kind: "score",
    name: "keydiff",
    score: (entries) =>
      eachHead(entries, (head) => {
        const { headSize } = entries;
        const keys = entries.keys(head);
        const norms = rowNorms(keys, headSize).map((norm) => Math.max(norm, 1e-12));
        const directions = keys.map((value, i) => value / norms[Math.floor(i / headSize)]!);
        const anchor = Float32Array.from(columnMeans(directions, headSize));
        const length = Math.max(rowNorms(anchor, headSize)[0]!, 1e-12);
        return entries.multiply(directions, anchor, headSize).map((cosine) => -cosine / length);
      }),
  };
}
