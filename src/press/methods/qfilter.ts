/** Q-Filters, by trained directions. */
import { ArgumentError } from "../../errors.ts";
import { definePress, type OptionsOf } from "../define.ts";
import { numbers, required } from "../settings.ts";
import { eachHead } from "../tools/each-head.ts";

export type QFilterOptions = OptionsOf<typeof qFilter>;

/** An entry's score falls with its key's product with the head's filter; filters of another model are refused when it scores. */
export const qFilter = definePress({
  name: "qfilter",
  paper: "Q-Filters: Leveraging QK Geometry for Efficient KV Cache Compression (Godey et al. 2025, arXiv 2503.02812)",
  options: {
    /** A trained direction for each layer and KV head, one after the other: [layers, KV heads, headSize]. */
    qFilters: required(numbers),
  },
  score: (entries, { qFilters }) => {
    const { headSize, kvHeads, layers, layer } = entries;
    if (qFilters.length !== layers * kvHeads * headSize) {
      throw new ArgumentError(
        `qFilters should be ${layers} x ${kvHeads} x ${headSize} numbers and are ${qFilters.length}`,
      );
    }
    return eachHead(entries, (head) => {
      const start = (layer * kvHeads + head) * headSize;
      const filter = Float32Array.from({ length: headSize }, (_, i) => qFilters[start + i]!);
      return entries.multiply(entries.keys(head), filter, headSize).map((product) => -product);
    });
  },
});
