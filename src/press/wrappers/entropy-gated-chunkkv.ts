/** ChunkKV gated by entropy: of uneven chunks only the highest entries survive. */
import { ArgumentError } from "../../errors.ts";
import { keptOf } from "../budget.ts";
import { defineWrapper, type OptionsOf } from "../define.ts";
import { whole } from "../settings.ts";
import { evenLength } from "../tools/check.ts";
import { scoresOf } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { chunkMeans, sumOf } from "./chunkkv.ts";

export type EntropyGatedChunkKVOptions = OptionsOf<typeof entropyGatedChunkKV>;

const TINY = 1e-8;

/** Chunks survive by their mean score: whole where the scores within are even, else only their highest entries. */
export const entropyGatedChunkKV = defineWrapper({
  name: "entropygatedchunkkv",
  paper:
    "ChunkKV gated by entropy, after ChunkKV: Semantic-Preserving KV Cache Compression (Liu et al. 2025, arXiv 2502.00299)",
  options: {
    /** Entries of a chunk. */
    chunkLength: whole(10),
    /** Entries kept of a chunk whose score comes from few of them. */
    lowEntropyChunkLength: whole(4),
  },
  check: ({ chunkLength, lowEntropyChunkLength }) => {
    if (lowEntropyChunkLength < chunkLength) return;
    throw new ArgumentError(
      `lowEntropyChunkLength ${lowEntropyChunkLength} should be below chunkLength ${chunkLength}`,
    );
  },
  select: (layer, inner, { chunkLength, lowEntropyChunkLength }, target) => {
    const length = evenLength(layer, "entropygatedchunkkv");
    const scores = sumOf(scoresOf(inner, layer, target));
    const means = chunkMeans(scores, chunkLength);
    const entropies = means.map((_, chunk) => entropy(scores.subarray(chunk * chunkLength, (chunk + 1) * chunkLength)));
    const [typicalMean, typicalEntropy] = [median(means), median(entropies)];
    const kept = new Set<number>();
    const budget = keptOf(target, layer, 0);
    const byMean = Array.from(means.keys()).sort((a, b) => means[b]! - means[a]! || a - b);
    for (const chunk of byMean) {
      const first = chunk * chunkLength;
      const part = scores.subarray(first, first + chunkLength);
      const spiky = means[chunk]! >= typicalMean && entropies[chunk]! < typicalEntropy;
      const room = Math.min(spiky ? lowEntropyChunkLength : chunkLength, part.length, budget - kept.size);
      for (const index of layer.highest(part, room)) kept.add(first + index);
    }
    // What spiky chunks left over goes to the best of the others.
    const rest = scores.map((score, entry) => (kept.has(entry) ? Number.NEGATIVE_INFINITY : score));
    for (const entry of layer.highest(rest, Math.min(budget, length) - kept.size)) kept.add(entry);
    const list = Int32Array.from(kept).sort();
    return { kept: eachHead(layer, () => list) };
  },
});

/** Entropy of a chunk's scores as a distribution, from 0 (one entry has all) to 1 (all are equal). */
function entropy(scores: Float32Array): number {
  if (scores.length === 1) return 0;
  const least = Math.min(0, ...scores);
  const total = scores.reduce((sum, score) => sum + score - least, 0) + TINY;
  const sum = scores.reduce((part, score) => {
    const probability = (score - least) / total;
    return part - probability * Math.log(probability + TINY);
  }, 0);
  return Math.min(1, Math.max(0, sum / Math.log(scores.length)));
}

/** The middle value, the lower of two. */
function median(values: Float32Array): number {
  return values.toSorted()[Math.floor((values.length - 1) / 2)]!;
}
