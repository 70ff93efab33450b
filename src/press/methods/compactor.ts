/** Compactor, by leverage and non-causal attention together. */
import { definePress, type OptionsOf } from "../define.ts";
import { number, optional, whole } from "../settings.ts";
import { evenLength } from "../tools/check.ts";
import { equalScores } from "../tools/each-head.ts";
import { largestOf } from "../tools/vectors.ts";
import { slice } from "../wrappers/chunk.ts";
import { leverageScore } from "./leverage.ts";
import { nonCausalAttention } from "./non-causal-attention.ts";

export type CompactorOptions = OptionsOf<typeof compactor>;

/** An entry's score is its non-causal attention plus its leverage. */
export const compactor = definePress({
  name: "compactor",
  paper:
    "Compactor: Calibrated Query-Agnostic KV Cache Compression with Approximate Leverage Scores (Chari and Van Durme 2025, arXiv 2507.08143)",
  options: {
    ...leverageScore.definition.settings,
    ...nonCausalAttention.definition.settings,
    /** First entries that are always kept. */
    sinkSizeStart: whole(8, 0),
    /** Newest entries that are always kept. */
    sinkSizeEnd: whole(4, 0),
    /** Weight of the leverage; the part that is removed when not given. */
    blending: optional(number),
  },
  wholePass: true,
  score: (layer, { sinkSizeStart, sinkSizeEnd, blending, chunkSize, ...sketching }, target) => {
    const length = evenLength(layer, "compactor");
    const first = Math.min(sinkSizeStart, length);
    const last = Math.min(sinkSizeEnd, length - first);
    if (first + last >= length) return equalScores(layer);
    const inner = slice(layer, first, length - last);
    const leverages = leverageScore(sketching).score(inner, target);
    const attended = nonCausalAttention({ chunkSize }).score(inner, target);
    const scores = attended.map((list, head) => {
      const weight = blending ?? target.ratio(layer, head);
      return list.map((score, i) => score + weight * leverages[head]![i]!);
    });
    const top = largestOf(scores);
    return scores.map((list) => {
      const result = new Float32Array(length).fill(top);
      result.set(list, first);
      return result;
    });
  },
});
