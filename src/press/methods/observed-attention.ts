/** Observed attention, by what all rows of the pass looked at. */
import { definePress } from "../define.ts";
import { columnMeans } from "../tools/attention.ts";
import { eachHead } from "../tools/each-head.ts";

/** Rows whose weights are held at once. */
const BLOCK = 256;

/** An entry's score is the mean attention that all rows that see it gave it during the pass. */
export const observedAttention = definePress({
  name: "observedattention",
  paper:
    "Observed attention, after H2O: Heavy-Hitter Oracle for Efficient Generative Inference of LLMs (Zhang et al., NeurIPS 2023, arXiv 2306.14048)",
  wholePass: true,
  score: (layer) =>
    eachHead(layer, (head) => {
      const length = layer.length(head);
      const sums = new Float64Array(length);
      for (let first = 0; first < length; first += BLOCK) {
        const end = Math.min(first + BLOCK, length);
        for (const weights of layer.attention(head, [first, end])) {
          const means = columnMeans(weights, length);
          for (let i = 0; i < length; i++) sums[i]! += means[i]! * (end - first);
        }
      }
      return Float32Array.from(sums, (sum, entry) => sum / (length - entry) / layer.group);
    }),
});
