/** Ada-KV: heads of a layer share a budget. */
import { keptTogether, type Target } from "../budget.ts";
import { defineWrapper, type OptionsOf } from "../define.ts";
import type { LayerEntries } from "../press.ts";
import { part } from "../settings.ts";
import { join, scoresOf, splitIndices } from "../tools/choose.ts";

export type AdaKVOptions = OptionsOf<typeof adaKV>;

/** The heads of a layer share one budget: the highest scores of all heads survive. */
export const adaKV = defineWrapper({
  name: "adakv",
  paper: "Ada-KV: Optimizing KV Cache Eviction by Adaptive Budget Allocation (Feng et al. 2024, arXiv 2407.11550)",
  options: {
    /** The part of its even share that every head keeps at least. */
    alphaSafeguard: part(0.2),
  },
  select: (layer, inner, { alphaSafeguard }, target) => {
    const scores = safeguarded(layer, target, scoresOf(inner, layer, target), alphaSafeguard);
    return { kept: splitIndices(highestOfAll(layer, target, scores), lengthsOf(scores)) };
  },
});

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
