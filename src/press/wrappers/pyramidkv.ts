/** PyramidKV: budgets that fall from the first layer to the last. */
import { definePress, defineWrapper, type OptionsOf } from "../define.ts";
import { snapKV } from "../methods/snapkv.ts";
import type { LayerEntries } from "../press.ts";
import { whole } from "../settings.ts";
import { scoresOf } from "../tools/choose.ts";
import { roundHalfEven } from "../tools/vectors.ts";

export type PyramidOptions = OptionsOf<typeof pyramid>;
export type PyramidKVOptions = OptionsOf<typeof pyramidKV>;

const paper =
  "PyramidKV: Dynamic KV Cache Compression Based on Pyramidal Information Funneling (Cai et al. 2024, arXiv 2406.02069)";

/** How steep the pyramid is: the larger, the less the last layer keeps. */
const beta = whole(20);

/** Any score with PyramidKV's budgets: falling from the first layer to the last, on the average what is asked for. */
export const pyramid = defineWrapper({
  name: "pyramid",
  paper,
  options: {
    /** Entries that the narrowest layer keeps at least; where the pyramid would be narrower, all layers keep the same. */
    windowSize: whole(64),
    /** How steep the pyramid is: the larger, the less the last layer keeps. */
    beta,
  },
  approximate: true,
  select: (layer, inner, { windowSize, beta }, target) => ({
    kept: scoresOf(inner, layer, target).map((scores, head) => {
      const mean = scores.length * (1 - target.ratio(layer, head));
      return layer.highest(scores, layerBudget(layer, mean, scores.length, windowSize, beta));
    }),
  }),
});

/** SnapKV's scores with budgets that fall from the first layer to the last. */
export const pyramidKV = definePress({
  name: "pyramidkv",
  paper,
  options: { ...snapKV.definition.settings, /** How steep the pyramid is. */ beta },
  needs: ({ windowSize }) => ({ queryRows: windowSize }),
  approximate: true,
  select: (layer, { windowSize, kernelSize, beta }, target) =>
    pyramid(snapKV({ windowSize, kernelSize }), { windowSize, beta }).select(layer, target),
});

function layerBudget(
  { layer, layers }: LayerEntries,
  mean: number,
  length: number,
  windowSize: number,
  beta: number,
): number {
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
