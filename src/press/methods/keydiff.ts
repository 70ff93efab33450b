/** KeyDiff, by how little keys are like one another. */
import { definePress } from "../define.ts";
import { columnMeans } from "../tools/attention.ts";
import { eachHead } from "../tools/each-head.ts";
import { rowNorms } from "../tools/vectors.ts";

/** Keeps the entries whose keys point least where the others do: cosine to the mean of the keys' directions. */
export const keyDiff = definePress({
  name: "keydiff",
  paper:
    "KeyDiff: Key Similarity-Based KV Cache Eviction for Long-Context LLM Inference (Park et al. 2025, arXiv 2504.15364)",
  score: (layer) =>
    eachHead(layer, (head) => {
      const { headSize } = layer;
      const keys = layer.keys(head);
      const norms = rowNorms(keys, headSize).map((norm) => Math.max(norm, 1e-12));
      const directions = keys.map((value, i) => value / norms[Math.floor(i / headSize)]!);
      const anchor = Float32Array.from(columnMeans(directions, headSize));
      const length = Math.max(rowNorms(anchor, headSize)[0]!, 1e-12);
      return layer.multiply(directions, anchor, headSize).map((cosine) => -cosine / length);
    }),
});
