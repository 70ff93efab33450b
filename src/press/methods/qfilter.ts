/** Q-Filters: Leveraging QK Geometry for Efficient KV Cache Compression (Godey et al. 2025, arXiv 2503.02812). */
import { ArgumentError } from "../../errors.ts";
import type { ScorePress } from "../press.ts";
import { eachHead } from "../tools/each-head.ts";

/** Settings of the press. */
export interface QFilterOptions {
  /** A trained direction for each layer and KV head, one after the other: [layers, KV heads, headSize]. */
  readonly qFilters: Float32Array;
}

/** An entry's score falls with its key's product with the head's filter. @throws ArgumentError for filters of another model */
export function qFilter(options: QFilterOptions): ScorePress {
  const { qFilters } = options;
  return {
    kind: "score",
    name: "qfilter",
    score: (entries) => {
      const { headSize, kvHeads, layers, layer } = entries;
      if (qFilters.length !== layers * kvHeads * headSize) {
        throw new ArgumentError(
          `qFilters should be ${layers} x ${kvHeads} x ${headSize} numbers and are ${qFilters.length}`,
        );
      }
      return eachHead(entries, (head) => {
        const start = (layer * kvHeads + head) * headSize;
        const filter = qFilters.slice(start, start + headSize);
        return entries.multiply(entries.keys(head), filter, headSize).map((product) => -product);
      });
    },
  };
}
