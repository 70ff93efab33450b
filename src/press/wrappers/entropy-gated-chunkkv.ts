/** ChunkKV gated by entropy, after ChunkKV: Semantic-Preserving KV Cache Compression (Liu et al. 2025, arXiv 2502.00299). */
import { ArgumentError } from "../../errors.ts";
import { keptOf } from "../budget.ts";
import type { ScorePress, SelectPress } from "../press.ts";
import { checkWhole, evenLength } from "../tools/check.ts";
import { scoresOf } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { type ChunkKVOptions, chunkMeans, sumOf } from "./chunkkv.ts";

/** Settings of the press. */
export interface EntropyGatedChunkKVOptions extends ChunkKVOptions {
  /** Entries kept of a chunk whose score comes from few of them. */
  readonly lowEntropyChunkLength?: number;
}

const TINY = 1e-8;

/**
 * Chunks survive by their mean score: whole where the scores within are even, else only their highest entries.
 * @throws ArgumentError for settings that cannot be
 */
export function entropyGatedChunkKV(press: ScorePress, options: EntropyGatedChunkKVOptions = {}): SelectPress {
  const { chunkLength = 10, lowEntropyChunkLength = 4 } = options;
  checkWhole({ chunkLength, lowEntropyChunkLength }, 1);
  if (lowEntropyChunkLength >= chunkLength) {
    throw new ArgumentError(
      `lowEntropyChunkLength ${lowEntropyChunkLength} should be below chunkLength ${chunkLength}`,
    );
  }
  return {
    kind: "select",
    name: `entropygatedchunkkv of ${press.name}`,
    needs: press.needs,
    select: (entries, target) => {
      const length = evenLength(entries, "entropygatedchunkkv");
      const scores = sumOf(scoresOf(press, entries, target));
      const means = chunkMeans(scores, chunkLength);
      const entropies = means.map((_, chunk) =>
        entropy(scores.subarray(chunk * chunkLength, (chunk + 1) * chunkLength)),
      );
      const [typicalMean, typicalEntropy] = [median(means), median(entropies)];
      const kept = new Set<number>();
      const budget = keptOf(target, entries, 0);
      const byMean = Array.from(means.keys()).sort((a, b) => means[b]! - means[a]! || a - b);
      for (const chunk of byMean) {
        const first = chunk * chunkLength;
        const part = scores.subarray(first, first + chunkLength);
        const spiky = means[chunk]! >= typicalMean && entropies[chunk]! < typicalEntropy;
        const room = Math.min(spiky ? lowEntropyChunkLength : chunkLength, part.length, budget - kept.size);
        for (const index of entries.highest(part, room)) kept.add(first + index);
      }
      // What spiky chunks left over goes to the best of the others.
      const rest = scores.map((score, entry) => (kept.has(entry) ? Number.NEGATIVE_INFINITY : score));
      for (const entry of entries.highest(rest, Math.min(budget, length) - kept.size)) kept.add(entry);
      const list = Int32Array.from(kept).sort();
      return { kept: eachHead(entries, () => list) };
    },
  };
}

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
