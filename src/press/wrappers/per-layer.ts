/** A part to remove for each layer, set by hand. */
import { ArgumentError } from "../../errors.ts";
import { ratioTarget } from "../budget.ts";
import { defineWrapper, type OptionsOf } from "../define.ts";
import { list, removed, required } from "../settings.ts";
import { selectEntries } from "../tools/choose.ts";

export type PerLayerOptions = OptionsOf<typeof perLayer>;

/** Any score with a ratio of its own for each layer; takes no other budget. */
export const perLayer = defineWrapper({
  name: "perlayer",
  paper:
    "A part to remove for each layer: what PyramidKV (Cai et al. 2024, arXiv 2406.02069) and others find, set by hand",
  options: {
    /** The part that each layer loses. */
    compressionRatios: required(() => list(removed)),
  },
  ownBudget: true,
  select: (layer, inner, { compressionRatios }) => {
    if (compressionRatios.length !== layer.layers) {
      throw new ArgumentError(`There are ${compressionRatios.length} compressionRatios for ${layer.layers} layers`);
    }
    return selectEntries(inner, layer, ratioTarget(compressionRatios[layer.layer]!));
  },
});
