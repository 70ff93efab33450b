/** DMS: Inference-Time Hyper-Scaling with KV Cache Compression (Łańcucki et al. 2025, arXiv 2506.05345), without its trained evictors. */

import { noTarget } from "../budget.ts";
import { pick } from "../entries.ts";
import type { LayerEntries, LayerSelection, PressSteps, ScorePress, StepsPress } from "../press.ts";
import { checkWhole } from "../tools/check.ts";
import { join, rawScores } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { range } from "../tools/vectors.ts";

/** Settings of the press. */
export interface DMSOptions {
  /** Entries with a lower score are dropped; what it should be depends on the inner press. */
  readonly threshold: number;
  /** Newest entries that are not dropped yet. */
  readonly slidingWindowSize?: number;
  /** Whether entries go on being dropped as they leave the window. */
  readonly decoding?: boolean;
}

/**
 * An entry is scored when it is read, and dropped when it leaves the sliding window if its score is below the threshold;
 * takes no budget.
 * @throws ArgumentError for settings that cannot be
 */
export function dms(press: ScorePress, options: DMSOptions): StepsPress {
  const { threshold, slidingWindowSize = 128, decoding = false } = options;
  checkWhole({ slidingWindowSize }, 1);
  return {
    kind: "steps",
    name: `dms of ${press.name}`,
    needs: press.needs,
    ownBudget: true,
    begin: () => begin(undefined),
  };

  /** @param waiting scores of the entries within the window: [layers][KV heads] */
  function begin(waiting: Float32Array[][] | undefined): PressSteps {
    return {
      step: (entries, _target, rows) => {
        const before = waiting;
        if (before && !decoding) return undefined;
        const scores = entries.layers.map((layer, index) => {
          const fresh = rawScores(press, newest(layer, rows), noTarget(press.name));
          return fresh.map((list, head) => join([before?.[index]?.[head] ?? new Float32Array(0), list]));
        });
        waiting = scores.map((heads) => heads.map((list) => list.slice(-slidingWindowSize)));
        return entries.layers.map((layer, index) => dropped(layer, scores[index]!));
      },
      fork: () => begin(waiting),
    };
  }

  /** What is left when the entries that have left the window are judged; `scores` are those of the last entries. */
  function dropped(layer: LayerEntries, scores: readonly Float32Array[]): LayerSelection {
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
}

/** The entries of the last pass. */
function newest(layer: LayerEntries, rows: number): LayerEntries {
  const lists = eachHead(layer, (head) => range(layer.length(head) - rows, layer.length(head)));
  return pick(layer, lists);
}
