/** Compression chunk by chunk, and a layer's slice to do it on. */
import { remaining } from "../budget.ts";
import { defineWrapper, type OptionsOf } from "../define.ts";
import { pick } from "../entries.ts";
import type { LayerEntries } from "../press.ts";
import { whole } from "../settings.ts";
import { checkWholePass, evenLength } from "../tools/check.ts";
import { looksAtPass } from "../tools/check-press.ts";
import { selectEntries } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { range } from "../tools/vectors.ts";

export type ChunkOptions = OptionsOf<typeof chunk>;

/** Every chunk is scored for itself and loses the same part. */
export const chunk = defineWrapper({
  name: "chunk",
  paper:
    "Compression chunk by chunk, as in FINCH: Prompt-guided Key-Value Cache Compression (Corallo and Papotti, TACL 2024)",
  options: {
    /** Entries of a chunk. */
    chunkLength: whole(1024),
  },
  // A chunk's window lies anywhere in the pass.
  needs: (inner) => (looksAtPass(inner) ? { ...inner.needs, queryRows: Number.POSITIVE_INFINITY } : undefined),
  approximate: true,
  select: (layer, inner, { chunkLength }, target) => {
    const length = evenLength(layer, "chunk");
    if (looksAtPass(inner)) checkWholePass(layer, "chunk");
    const parts: Int32Array[][] = [];
    for (let first = 0; first < length; first += chunkLength) {
      const end = Math.min(first + chunkLength, length);
      const { kept } = selectEntries(inner, slice(layer, first, end), {
        // A chunk of a budget is its proportional part.
        share: (part, head) => remaining(part.length(head), target.ratio(layer, head)),
        ratio: (_, head) => target.ratio(layer, head),
        protect: target.protect,
      });
      parts.push(kept.map((list) => list.map((index) => first + index)));
    }
    return { kept: eachHead(layer, (head) => Int32Array.from(parts.flatMap((part) => [...part[head]!]))) };
  },
});

/** The entries from `first` to below `end` and their queries. */
export function slice(entries: LayerEntries, first: number, end: number): LayerEntries {
  const list = range(first, end);
  return pick(
    entries,
    eachHead(entries, () => list),
    {},
    entries.queryRows > 0 ? [first, end] : [0, 0],
  );
}
