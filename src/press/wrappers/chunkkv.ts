/** ChunkKV: chunks survive as a whole. */
import { defineWrapper, type OptionsOf } from "../define.ts";
import { whole } from "../settings.ts";
import { evenLength } from "../tools/check.ts";
import { scoresOf, selectEntries } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { range } from "../tools/vectors.ts";

export type ChunkKVOptions = OptionsOf<typeof chunkKV>;

/** Whole chunks survive, by the mean of an inner press's scores over all heads; all heads keep the same. */
export const chunkKV = defineWrapper({
  name: "chunkkv",
  paper:
    "ChunkKV: Semantic-Preserving KV Cache Compression for Efficient Long-Context LLM Inference (Liu et al. 2025, arXiv 2502.00299)",
  options: {
    /** Entries of a chunk. */
    chunkLength: whole(20),
  },
  approximate: true,
  select: (layer, inner, { chunkLength }, target) => {
    const length = evenLength(layer, "chunkkv");
    if (length < chunkLength) return selectEntries(inner, layer, target);
    const totals = sumOf(scoresOf(inner, layer, target));
    const means = chunkMeans(totals, chunkLength);
    const count = Math.max(1, Math.trunc(means.length * (1 - target.ratio(layer, 0))));
    const kept = Int32Array.from(
      [...layer.highest(means, count)].flatMap((chunk) => [
        ...range(chunk * chunkLength, Math.min((chunk + 1) * chunkLength, length)),
      ]),
    );
    return { kept: eachHead(layer, () => kept) };
  },
});

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
