/** DMS: entries below a threshold go when they leave a sliding window. */
import { noTarget } from "../budget.ts";
import { defineWrapper, type OptionsOf } from "../define.ts";
import { pick } from "../entries.ts";
import type { LayerEntries, LayerSelection, PressSteps, ScorePress } from "../press.ts";
import { type Checked, flag, number, required, whole } from "../settings.ts";
import { join, rawScores } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { range } from "../tools/vectors.ts";

export type DMSOptions = OptionsOf<typeof dms>;

const options = {
  /** Entries with a lower score are dropped; what it should be depends on the inner press. */
  threshold: required(number),
  /** Newest entries that are not dropped yet. */
  slidingWindowSize: whole(128),
  /** Whether entries go on being dropped as they leave the window. */
  decoding: flag(false),
};
type Settled = Checked<typeof options>;

/**
 * An entry is scored when it is read, and dropped when it leaves the sliding window if its score is below the threshold;
 * takes no budget.
 */
export const dms = defineWrapper({
  name: "dms",
  paper:
    "DMS: Inference-Time Hyper-Scaling with KV Cache Compression (Łańcucki et al. 2025, arXiv 2506.05345), without its trained evictors",
  options,
  ownBudget: true,
  begin: (inner, settings) => begin(inner, settings, undefined),
});

/** @param waiting scores of the entries within the window: [layers][KV heads] */
function begin(inner: ScorePress, settings: Settled, waiting: Float32Array[][] | undefined): PressSteps {
  return {
    step: (entries, _target, rows) => {
      const before = waiting;
      if (before && !settings.decoding) return undefined;
      const scores = entries.layers.map((layer, index) => {
        const fresh = rawScores(inner, newest(layer, rows), noTarget(inner.name));
        return fresh.map((list, head) => join([before?.[index]?.[head] ?? new Float32Array(0), list]));
      });
      waiting = scores.map((heads) => heads.map((list) => list.slice(-settings.slidingWindowSize)));
      return entries.layers.map((layer, index) => dropped(layer, scores[index]!, settings));
    },
    fork: () => begin(inner, settings, waiting),
  };
}

/** What is left when the entries that have left the window are judged; `scores` are those of the last entries. */
function dropped(
  layer: LayerEntries,
  scores: readonly Float32Array[],
  { slidingWindowSize, threshold }: Settled,
): LayerSelection {
  return {
    kept: eachHead(layer, (head) => {
      const length = layer.length(head);
      const first = length - scores[head]!.length;
      const end = length - slidingWindowSize;
      return range(0, length).filter(
        (entry) => entry < first || entry >= end || scores[head]![entry - first]! >= threshold,
      );
    }),
  };
}

/** The entries of the last pass. */
function newest(layer: LayerEntries, rows: number): LayerEntries {
  const lists = eachHead(layer, (head) => range(layer.length(head) - rows, layer.length(head)));
  return pick(layer, lists);
}
