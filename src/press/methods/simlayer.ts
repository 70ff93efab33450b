/** SimLayerKV: A Simple Framework for Layer-Level KV Cache Reduction (Zhang et al. 2024, arXiv 2410.13846). */

import type { LayerEntries, SelectPress } from "../press.ts";
import { windowAttention } from "../tools/attention.ts";
import { checkWhole, checkWithin, evenLength, windowRows } from "../tools/check.ts";
import { eachHead } from "../tools/each-head.ts";
import { meanOf, range } from "../tools/vectors.ts";

/** Settings of the press. */
export interface SimLayerOptions {
  /** Above it a layer is lazy; at 1 none is. */
  readonly lazyThreshold?: number;
  /** Last rows whose attention is looked at. */
  readonly nLast?: number;
  /** Newest entries that a lazy layer sees. */
  readonly nRecent?: number;
  /** First entries that a lazy layer sees. */
  readonly nInitial?: number;
}

/**
 * A layer whose last rows attend to the first and the newest entries alone keeps only those; takes no budget.
 * @throws ArgumentError for settings that cannot be
 */
export function simLayer(options: SimLayerOptions = {}): SelectPress {
  const { lazyThreshold = 1, nLast = 1, nRecent = 1024, nInitial = 4 } = options;
  checkWithin({ lazyThreshold }, 0, 1);
  checkWhole({ nLast, nRecent }, 1);
  checkWhole({ nInitial }, 0);
  return {
    kind: "select",
    name: "simlayer",
    ownBudget: true,
    needs: { queryRows: nLast },
    select: (entries) => {
      const length = evenLength(entries, "simlayer");
      const long = length > nInitial + nRecent + nLast;
      const lazy = lazyThreshold < 1 && long && laziness(entries, length) > lazyThreshold;
      const kept = lazy ? [...range(0, nInitial), ...range(length - nRecent + nLast, length)] : range(0, length);
      return { kept: eachHead(entries, () => Int32Array.from(kept)) };
    },
  };

  /** The part of the last rows' attention that goes to the first and the newest entries. */
  function laziness(entries: LayerEntries, length: number): number {
    const window = windowRows(entries, nLast);
    const rows = eachHead(entries, (head) => windowAttention(entries, head, window)).flat();
    const means = meanOf(rows);
    let sum = 0;
    for (let row = 0; row < window; row++) {
      const line = means.subarray(row * length, row * length + length - window);
      for (const weight of line.subarray(0, nInitial)) sum += weight;
      for (const weight of line.subarray(line.length - nRecent)) sum += weight;
    }
    return sum / window;
  }
}
