/** Knorm: a simple and effective L2 norm-based strategy for KV cache compression (Devoto et al., EMNLP 2024). */
import type { ScorePress } from "./press.ts";

/** Keeps the entries whose keys have the smallest L2 norm. */
export function knorm(): ScorePress {
  return {
    kind: "score",
    name: "knorm",
    score: (entries) =>
      Array.from({ length: entries.keyHeads }, (_, head) => {
        const keys = entries.keys(head);
        const { headSize } = entries;
        return Float32Array.from({ length: entries.length(head) }, (_, entry) => {
          let sum = 0;
          for (let i = entry * headSize; i < (entry + 1) * headSize; i++) sum += keys[i]! * keys[i]!;
          return -Math.sqrt(sum);
        });
      }),
  };
}
