/** SimLayerKV, which shortens lazy layers as a whole. */
import { definePress, type OptionsOf } from "../define.ts";
import type { LayerEntries } from "../press.ts";
import { part, whole } from "../settings.ts";
import { evenLength, windowRows } from "../tools/check.ts";
import { eachHead } from "../tools/each-head.ts";
import { meanOf, range } from "../tools/vectors.ts";

export type SimLayerOptions = OptionsOf<typeof simLayer>;

/** A layer whose last rows attend to the first and the newest entries alone keeps only those; takes no budget. */
export const simLayer = definePress({
  name: "simlayer",
  paper: "SimLayerKV: A Simple Framework for Layer-Level KV Cache Reduction (Zhang et al. 2024, arXiv 2410.13846)",
  options: {
    /** Above it a layer is lazy; at 1 none is. */
    lazyThreshold: part(1),
    /** Last rows whose attention is looked at. */
    nLast: whole(1),
    /** Newest entries that a lazy layer sees. */
    nRecent: whole(1024),
    /** First entries that a lazy layer sees. */
    nInitial: whole(4, 0),
  },
  ownBudget: true,
  needs: ({ nLast }) => ({ queryRows: nLast }),
  select: (layer, { lazyThreshold, nLast, nRecent, nInitial }) => {
    const length = evenLength(layer, "simlayer");
    const long = length > nInitial + nRecent + nLast;
    const lazy = lazyThreshold < 1 && long && laziness(layer, length, nLast, nRecent, nInitial) > lazyThreshold;
    const kept = lazy ? [...range(0, nInitial), ...range(length - nRecent + nLast, length)] : range(0, length);
    return { kept: eachHead(layer, () => Int32Array.from(kept)) };
  },
});

/** The part of the last rows' attention that goes to the first and the newest entries. */
function laziness(layer: LayerEntries, length: number, nLast: number, nRecent: number, nInitial: number): number {
  const window = windowRows(layer, nLast);
  const means = meanOf(eachHead(layer, (head) => layer.attention(head, window)).flat());
  let sum = 0;
  for (let row = 0; row < window; row++) {
    const line = means.subarray(row * length, row * length + length - window);
    for (const weight of line.subarray(0, nInitial)) sum += weight;
    for (const weight of line.subarray(line.length - nRecent)) sum += weight;
  }
  return sum / window;
}
