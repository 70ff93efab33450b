/** CaM: Cache Merging for Memory-efficient LLMs Inference (Zhang et al., ICML 2024, openreview LCTmppB165). */
import { ArgumentError } from "../../errors.ts";
import { countTarget } from "../budget.ts";
import { uniform } from "../methods/random.ts";
import type { LayerEntries, LayerSelection, PressSteps, ScorePress, StepsPress } from "../press.ts";
import { attentionWeights } from "../tools/attention.ts";
import { checkWhole, evenLength } from "../tools/check.ts";
import { scoresOf } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { meanOf, pickRows, range } from "../tools/vectors.ts";
import type { DecodingOptions } from "./decoding.ts";

/** Settings of the press. */
export interface CamOptions extends DecodingOptions {
  /** Survivors behind an evicted entry that its value is merged into. */
  readonly mergeBudget?: number;
  /** Equal seeds give equal choices. */
  readonly seed?: number;
  /** Says by 1 or 0 which of the entries are merged that could be; for each compression and layer, [KV heads · entries]. */
  readonly draw?: (probabilities: Float32Array) => Float32Array;
}

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
 * @throws ArgumentError for settings that cannot be, and a press that looks at more than keys, values and positions
 */
export function cam(press: ScorePress, options: CamOptions = {}): StepsPress {
  const { compressionInterval = 512, targetSize = 2048, mergeBudget = 32, seed = 0 } = options;
  checkWhole({ compressionInterval, targetSize, mergeBudget }, 1);
  if (press.needs) throw new ArgumentError(`The cam press cannot go by ${press.name}, which looks at queries`);
  const draw = (probabilities: Float32Array, index: number) => {
    if (options.draw) return options.draw(probabilities);
    const next = uniform(seed + Math.imul(index, 0x85ebca6b));
    return probabilities.map((chance) => Number(next() < chance));
  };
  return {
    kind: "steps",
    name: `cam of ${press.name}`,
    needs: { queryRows: 1 },
    ownBudget: true,
    begin: () => begin(undefined),
  };

  function begin(state: State | undefined): PressSteps {
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
          const selection = merge(layer, attention[layer.layer]!, passes, first + index);
          attention[layer.layer] = attention[layer.layer]!.map((sums) => pickRows(sums, 1, selection.kept[0]!));
          return selection;
        });
      },
      fork: () => begin(state && { ...state, attention: state.attention.map((heads) => [...heads]) }),
    };
  }

  /** Drops the lowest entries of a layer, of which the best `candidates` may be merged. */
  function merge(
    layer: LayerEntries,
    attention: readonly Float32Array[],
    candidates: number,
    drawing: number,
  ): LayerSelection {
    const { headSize } = layer;
    const length = evenLength(layer, "cam");
    if (length <= targetSize) return { kept: eachHead(layer, () => range(0, length)) };
    const scores = meanOf(scoresOf(press, layer, countTarget(targetSize)));
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
    const choice = draw(Float32Array.from(chances), drawing);
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
}

/** Attention so far and that of the last row, the mean of a KV head's query heads. */
function observed(layer: LayerEntries, before: readonly Float32Array[]): Float32Array[] {
  return eachHead(layer, (head) =>
    meanOf(attentionWeights(layer, head, layer.queryRows - 1, layer.queryRows)).map(
      (weight, entry) => weight + (before[head]![entry] ?? 0),
    ),
  );
}

/** An entry's attention relative to the mean of those that it would be merged into, at most 1. */
function mergeChance(attention: Float32Array, entry: number, targets: Int32Array): number {
  const mean = targets.reduce((sum, target) => sum + attention[target]!, 0) / Math.max(1, targets.length);
  const chance = attention[entry]! / mean;
  return Number.isNaN(chance) ? 0 : Math.min(1, chance);
}
