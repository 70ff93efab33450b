/** Ada-KV: Optimizing KV Cache Eviction by Adaptive Budget Allocation (Feng et al. 2024, arXiv 2407.11550). */
import { keptTogether, type Target } from "../budget.ts";
import type { LayerEntries, ScorePress, SelectPress } from "../press.ts";
import { checkWithin } from "../tools/check.ts";
import { join, scoresOf, splitIndices } from "../tools/choose.ts";

/** Settings of the press. */
export interface AdaKVOptions {
  /** The part of its even share that every head keeps at least. */
  readonly alphaSafeguard?: number;
}

/**
 * The heads of a layer share one budget: the highest scores of all heads survive.
 * @throws ArgumentError for settings that cannot be
 */
export function adaKV(press: ScorePress, options: AdaKVOptions = {}): SelectPress {
  const { alphaSafeguard = 0.2 } = options;
  checkWithin({ alphaSafeguard }, 0, 1);
  return {
    kind: "select",
    name: `adakv of ${press.name}`,
    needs: press.needs,
    select: (entries, target) => {
      const scores = safeguarded(entries, target, scoresOf(press, entries, target), alphaSafeguard);
      return { kept: splitIndices(highestOfAll(entries, target, scores), lengthsOf(scores)) };
    },
  };
}

/** Scores in which the best of every head, the part `alpha` of its share, are the largest that there is. */
export function safeguarded(
  entries: LayerEntries,
  target: Target,
  scores: readonly Float32Array[],
  alpha: number,
): Float32Array[] {
  return scores.map((list, head) => {
    const safe = alpha > 0 ? Math.max(1, Math.trunc(target.share(entries, head) * alpha)) : 0;
    return withLargest(list, entries.highest(list, safe));
  });
}

/** The highest scores of all heads, as many as the heads together should keep, counted through the lists joined. */
export function highestOfAll(entries: LayerEntries, target: Target, scores: readonly Float32Array[]): Int32Array {
  return entries.highest(join(scores), keptTogether(target, [entries]));
}

/** The largest number of f32: a score is finite. */
const LARGEST = 2 ** 128 - 2 ** 104;

/** Scores of which some are made the largest that there is. */
export function withLargest(scores: Float32Array, indices: Int32Array): Float32Array {
  const result = scores.slice();
  for (const index of indices) result[index] = Math.max(result[index]!, LARGEST);
  return result;
}

export function lengthsOf(lists: readonly { readonly length: number }[]): number[] {
  return lists.map((list) => list.length);
}
