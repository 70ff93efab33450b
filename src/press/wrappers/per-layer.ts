/** A part to remove for each layer: what PyramidKV (Cai et al. 2024, arXiv 2406.02069) and others find, set by hand. */
import { ArgumentError } from "../../errors.ts";
import { ratioTarget } from "../budget.ts";
import type { ScorePress, SelectPress } from "../press.ts";
import { selectEntries } from "../tools/choose.ts";

/** Settings of the press. */
export interface PerLayerOptions {
  /** The part that each layer loses. */
  readonly compressionRatios: readonly number[];
}

/** Any score with a ratio of its own for each layer; takes no other budget. @throws ArgumentError for a ratio outside [0, 1) */
export function perLayer(press: ScorePress, options: PerLayerOptions): SelectPress {
  const targets = options.compressionRatios.map((ratio) => ratioTarget(ratio));
  return {
    kind: "select",
    name: `perlayer of ${press.name}`,
    needs: press.needs,
    ownBudget: true,
    select: (entries) => {
      if (targets.length !== entries.layers) {
        throw new ArgumentError(`There are ${targets.length} compressionRatios for ${entries.layers} layers`);
      }
      return selectEntries(press, entries, targets[entries.layer]!);
    },
  };
}
