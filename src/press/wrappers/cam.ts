/** CaM: values that are dropped are merged into those that follow. */
import { countTarget } from "../budget.ts";
import { defineWrapper, type OptionsOf } from "../define.ts";
import { uniform } from "../methods/random.ts";
import type { LayerEntries, LayerSelection, PressSteps, ScorePress } from "../press.ts";
import { type Checked, callback, number, optional, whole } from "../settings.ts";
import { evenLength } from "../tools/check.ts";
import { scoresOf } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { meanOf, pickRows, range } from "../tools/vectors.ts";
import { decoding } from "./decoding.ts";

export type CamOptions = OptionsOf<typeof cam>;

const { compressionInterval, targetSize } = decoding.definition.settings;
const options = {
  /** Passes from one compression to the next: tokens decoded, or texts read at once. */
  compressionInterval,
  /** Entries that every head keeps. */
  targetSize,
  /** Survivors behind an evicted entry that its value is merged into. */
  mergeBudget: whole(32),
  /** Equal seeds give equal choices. */
  seed: number(0),
  /** Says by 1 or 0 which of the entries are merged that could be; for each compression and layer, [KV heads · entries]. */
  draw: optional(callback<(probabilities: Float32Array) => Float32Array>),
};
type Settled = Checked<typeof options>;

/** What the session has seen of attention so far. */
interface State {
  /** Passes after the first since the last compression. */
  passes: number;
  /** Drawings so far: each has a source of numbers of its own, so that a session draws the same whatever others do. */
  draws: number;
  /** Attention of the last rows of all passes to each entry: [layers][KV heads]. */
  attention: Float32Array[][];
}

/**
 * As `decoding`, but before the lowest entries are dropped, the values of the best of them are merged into the survivors
 * that follow, at a chance that grows with the attention they have had. All heads of a layer keep the same entries.
 */
export const cam = defineWrapper({
  name: "cam",
  paper: "CaM: Cache Merging for Memory-efficient LLMs Inference (Zhang et al., ICML 2024, openreview LCTmppB165)",
  options,
  cacheOnly: true,
  needs: () => ({ queryRows: 1 }),
  ownBudget: true,
  begin: (inner, settings) => begin(inner, settings, undefined),
});

function begin(inner: ScorePress, settings: Settled, state: State | undefined): PressSteps {
  const { compressionInterval, targetSize } = settings;
  return {
    step: (entries, _target, rows) => {
      if (!state) {
        state = {
          passes: 0,
          draws: 0,
          attention: entries.layers.map((layer) => eachHead(layer, () => new Float32Array(0))),
        };
        return undefined;
      }
      const { attention } = state;
      for (const layer of entries.layers) attention[layer.layer] = observed(layer, attention[layer.layer]!);
      const passes = ++state.passes;
      const length = evenLength(entries.layers[0]!, "cam");
      if (!(passes >= compressionInterval && length > targetSize) && rows < targetSize) return undefined;
      state.passes = 0;
      const first = state.draws;
      state.draws += entries.layers.length;
      return entries.layers.map((layer, index) => {
        const selection = merge(inner, settings, layer, attention[layer.layer]!, passes, first + index);
        attention[layer.layer] = attention[layer.layer]!.map((sums) => pickRows(sums, 1, selection.kept[0]!));
        return selection;
      });
    },
    fork: () => begin(inner, settings, state && { ...state, attention: state.attention.map((heads) => [...heads]) }),
  };
}

/** Drops the lowest entries of a layer, of which the best `candidates` may be merged. */
function merge(
  inner: ScorePress,
  { targetSize, mergeBudget, seed, draw }: Settled,
  layer: LayerEntries,
  attention: readonly Float32Array[],
  candidates: number,
  drawing: number,
): LayerSelection {
  const { headSize } = layer;
  const length = evenLength(layer, "cam");
  if (length <= targetSize) return { kept: eachHead(layer, () => range(0, length)) };
  const scores = meanOf(scoresOf(inner, layer, countTarget(targetSize)));
  const kept = layer.highest(scores, targetSize);
  const survivors = new Set(kept);
  const merged = range(0, length)
    .filter((entry) => !survivors.has(entry))
    .sort((a, b) => scores[b]! - scores[a]! || b - a)
    .subarray(0, candidates)
    .sort();
  const targets = Array.from(merged, (entry) => {
    const first = kept.findIndex((survivor) => survivor > entry);
    return first < 0 ? kept.subarray(0, 0) : kept.subarray(first, first + mergeBudget);
  });
  const chances = attention.flatMap((sums) => targets.map((list, i) => mergeChance(sums, merged[i]!, list)));
  const next = uniform(seed + Math.imul(drawing, 0x85ebca6b));
  const drawn = (probabilities: Float32Array) => probabilities.map((chance) => Number(next() < chance));
  const choice = (draw ?? drawn)(Float32Array.from(chances));
  const values = eachHead(layer, (head) => {
    const before = layer.values(head);
    const after = before.slice();
    for (const [i, entry] of merged.entries()) {
      if (!choice[head * merged.length + i]) continue;
      for (const target of targets[i]!) {
        for (let at = 0; at < headSize; at++) {
          after[target * headSize + at]! += before[entry * headSize + at]! / targets[i]!.length;
        }
      }
    }
    return pickRows(after, headSize, kept);
  });
  return { kept: eachHead(layer, () => kept), values };
}

/** Attention so far and that of the last row, the mean of a KV head's query heads. */
function observed(layer: LayerEntries, before: readonly Float32Array[]): Float32Array[] {
  return eachHead(layer, (head) =>
    meanOf(layer.attention(head, 1)).map((weight, entry) => weight + (before[head]![entry] ?? 0)),
  );
}

/** An entry's attention relative to the mean of those that it would be merged into, at most 1. */
function mergeChance(attention: Float32Array, entry: number, targets: Int32Array): number {
  const mean = targets.reduce((sum, target) => sum + attention[target]!, 0) / Math.max(1, targets.length);
  const chance = attention[entry]! / mean;
  return Number.isNaN(chance) ? 0 : Math.min(1, chance);
}
