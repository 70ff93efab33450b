/** Block-wise eviction: no more than a block is held beyond the budget. */
import { keptOf } from "../budget.ts";
import { defineWrapper, type OptionsOf } from "../define.ts";
import { pick } from "../entries.ts";
import { whole } from "../settings.ts";
import { scoresOf } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { range } from "../tools/vectors.ts";

export type BlockOptions = OptionsOf<typeof block>;

/** The first entries up to the budget, then block after block: each joins the kept ones, and the best of both survive. */
export const block = defineWrapper({
  name: "block",
  paper:
    "Block-wise eviction, as in KeyDiff: Key Similarity-Based KV Cache Eviction (Park et al. 2025, arXiv 2504.15364)",
  options: {
    /** Entries that join the kept ones at a time. */
    blockSize: whole(128),
  },
  cacheOnly: true,
  select: (layer, inner, { blockSize }, target) => ({
    kept: eachHead(layer, (head) => {
      const length = layer.length(head);
      const count = keptOf(target, layer, head);
      let kept = range(0, count);
      for (let first = count; first < length; first += blockSize) {
        const joined = Int32Array.from([...kept, ...range(first, Math.min(first + blockSize, length))]);
        const view = pick(
          layer,
          eachHead(layer, () => joined),
        );
        const scores = scoresOf(inner, view, { ...target, share: () => count })[head]!;
        kept = layer.highest(scores, count).map((index) => joined[index]!);
      }
      return kept;
    }),
  }),
});
