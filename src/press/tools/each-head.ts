/** What score presses share: one list of scores for each KV head. */
import type { LayerEntries } from "../press.ts";
import { largestOf } from "./vectors.ts";

/** One result for each KV head. */
export function eachHead<T>(entries: LayerEntries, make: (head: number) => T): T[] {
  return Array.from({ length: entries.kvHeads }, (_, head) => make(head));
}

/** One result for each query head of a KV head. */
export function eachMember<T>(entries: LayerEntries, head: number, make: (queryHead: number) => T): T[] {
  return Array.from({ length: entries.group }, (_, member) => make(head * entries.group + member));
}

/** Scores where there is nothing to tell entries apart by: the oldest are kept. */
export function equalScores(entries: LayerEntries): Float32Array[] {
  return eachHead(entries, (head) => new Float32Array(entries.length(head)));
}

/** Adds entries that are always kept before and behind the scores: the largest score of the layer, plus 1. */
export function surround(scores: readonly Float32Array[], before: number, behind: number): Float32Array[] {
  const top = largestOf(scores) + 1;
  return scores.map((list) => {
    const result = new Float32Array(before + list.length + behind).fill(top);
    result.set(list, before);
    return result;
  });
}
