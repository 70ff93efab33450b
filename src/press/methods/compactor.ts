/** Compactor: Calibrated Query-Agnostic KV Cache Compression with Approximate Leverage Scores (Chari and Van Durme 2025, arXiv 2507.08143). */

import type { ScorePress } from "../press.ts";
import { checkWhole, evenLength } from "../tools/check.ts";
import { wholePassPress } from "../tools/course.ts";
import { equalScores } from "../tools/each-head.ts";
import { largestOf } from "../tools/vectors.ts";
import { slice } from "../wrappers/chunk.ts";
import { type LeverageOptions, leverageScore } from "./leverage.ts";
import { type NonCausalAttentionOptions, nonCausalAttention } from "./non-causal-attention.ts";

/** Settings of the press. */
export interface CompactorOptions extends LeverageOptions, NonCausalAttentionOptions {
  /** First entries that are always kept. */
  readonly sinkSizeStart?: number;
  /** Newest entries that are always kept. */
  readonly sinkSizeEnd?: number;
  /** Weight of the leverage; the part that is removed when not given. */
  readonly blending?: number;
}

/**
 * An entry's score is its non-causal attention plus its leverage.
 * @throws ArgumentError for settings that cannot be
 */
export function compactor(options: CompactorOptions = {}): ScorePress {
  const { sinkSizeStart = 8, sinkSizeEnd = 4, chunkSize = 256, sketchDimension = 48, blending } = options;
  checkWhole({ sinkSizeStart, sinkSizeEnd }, 0);
  const leverage = leverageScore({ ...options, sketchDimension });
  const attention = nonCausalAttention({ chunkSize });
  return wholePassPress("compactor", (entries, target) => {
    const length = evenLength(entries, "compactor");
    const first = Math.min(sinkSizeStart, length);
    const last = Math.min(sinkSizeEnd, length - first);
    if (first + last >= length) return equalScores(entries);
    const inner = slice(entries, first, length - last);
    const leverages = leverage.score(inner, target);
    const scores = attention.score(inner, target).map((list, head) => {
      const weight = blending ?? target.ratio(entries, head);
      return list.map((score, i) => score + weight * leverages[head]![i]!);
    });
    const top = largestOf(scores);
    return scores.map((list) => {
      const result = new Float32Array(length).fill(top);
      result.set(list, first);
      return result;
    });
  });
}
