/** PyramidKV: Dynamic KV Cache Compression Based on Pyramidal Information Funneling (Cai et al. 2024, arXiv 2406.02069). */

import { type SnapKVOptions, snapKV } from "../methods/snapkv.ts";
import type { LayerEntries, ScorePress, SelectPress } from "../press.ts";
import { checkWhole } from "../tools/check.ts";
import { scoresOf } from "../tools/choose.ts";

/** Settings of the pyramid. */
export interface PyramidOptions {
  /** Entries that the narrowest layer keeps at least; where the pyramid would be narrower, all layers keep the same. */
  readonly windowSize?: number;
  /** How steep the pyramid is: the larger, the less the last layer keeps. */
  readonly beta?: number;
}

/**
 * SnapKV's scores with budgets that fall from the first layer to the last.
 * @throws ArgumentError for settings that cannot be
 */
export function pyramidKV(options: SnapKVOptions & PyramidOptions = {}): SelectPress {
  return { ...pyramid(snapKV(options), options), name: "pyramidkv" };
}

/**
 * Any score with PyramidKV's budgets: falling from the first layer to the last, on the average what is asked for.
 * @throws ArgumentError for settings that cannot be
 */
export function pyramid(press: ScorePress, options: PyramidOptions = {}): SelectPress {
  const { windowSize = 64, beta = 20 } = options;
  checkWhole({ windowSize, beta }, 1);
  return {
    kind: "select",
    name: `pyramid of ${press.name}`,
    needs: press.needs,
    select: (entries, target) => ({
      kept: scoresOf(press, entries, target).map((scores, head) =>
        entries.highest(scores, layerBudget(entries, scores.length * (1 - target.ratio(entries, head)), scores.length)),
      ),
    }),
  };

  function layerBudget({ layer, layers }: LayerEntries, mean: number, length: number): number {
    let least = mean / beta;
    let most = mean * 2 - least;
    if (most >= length - windowSize) {
      most = length - windowSize;
      least = mean * 2 - most;
    }
    if (!(most >= least && least >= windowSize)) return Math.max(1, roundHalfEven(mean));
    const step = layers > 1 ? (most - least) / (layers - 1) : 0;
    return roundHalfEven(most - layer * step);
  }
}

/** The nearest whole number, the even one of two: as Python rounds. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return Math.round(value);
}
