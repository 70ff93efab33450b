/** ChunkKV: Semantic-Preserving KV Cache Compression for Efficient Long-Context LLM Inference (Liu et al. 2025, arXiv 2502.00299). */

import type { ScorePress, SelectPress } from "../press.ts";
import { checkWhole, evenLength } from "../tools/check.ts";
import { scoresOf, selectEntries } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { range } from "../tools/vectors.ts";

/** Settings of the press. */
export interface ChunkKVOptions {
  /** Entries of a chunk. */
  readonly chunkLength?: number;
}

/**
 * Whole chunks survive, by the mean of an inner press's scores over all heads; all heads keep the same.
 * @throws ArgumentError for settings that cannot be
 */
export function chunkKV(press: ScorePress, options: ChunkKVOptions = {}): SelectPress {
  const { chunkLength = 20 } = options;
  checkWhole({ chunkLength }, 1);
  return {
    kind: "select",
    name: `chunkkv of ${press.name}`,
    needs: press.needs,
    select: (entries, target) => {
      const length = evenLength(entries, "chunkkv");
      if (length < chunkLength) return selectEntries(press, entries, target);
      const totals = sumOf(scoresOf(press, entries, target));
      const means = chunkMeans(totals, chunkLength);
      const count = Math.max(1, Math.trunc(means.length * (1 - target.ratio(entries, 0))));
      const kept = Int32Array.from(
        [...entries.highest(means, count)].flatMap((chunk) => [
          ...range(chunk * chunkLength, Math.min((chunk + 1) * chunkLength, length)),
        ]),
      );
      return { kept: eachHead(entries, () => kept) };
    },
  };
}

/** The sum of all heads' scores. */
export function sumOf(scores: readonly Float32Array[]): Float32Array {
  return scores[0]!.map((_, entry) => scores.reduce((sum, list) => sum + list[entry]!, 0));
}

/** The mean of every chunk; the last may be shorter. */
export function chunkMeans(scores: Float32Array, chunkLength: number): Float32Array {
  return Float32Array.from({ length: Math.ceil(scores.length / chunkLength) }, (_, chunk) => {
    const part = scores.subarray(chunk * chunkLength, (chunk + 1) * chunkLength);
    return part.reduce((sum, score) => sum + score, 0) / part.length;
  });
}
