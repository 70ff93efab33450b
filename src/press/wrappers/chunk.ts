/** Compression chunk by chunk, as in FINCH: Prompt-guided Key-Value Cache Compression (Corallo and Papotti, TACL 2024). */
import { remaining } from "../budget.ts";
import { pick } from "../entries.ts";
import type { LayerEntries, ScorePress, SelectPress } from "../press.ts";
import { checkWhole, checkWholePass, evenLength } from "../tools/check.ts";
import { selectEntries } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { range } from "../tools/vectors.ts";

/** Settings of the press. */
export interface ChunkOptions {
  /** Entries of a chunk. */
  readonly chunkLength?: number;
}

/**
 * Every chunk is scored for itself and loses the same part.
 * @throws ArgumentError for settings that cannot be
 */
export function chunk(press: ScorePress, options: ChunkOptions = {}): SelectPress {
  const { chunkLength = 1024 } = options;
  checkWhole({ chunkLength }, 1);
  return {
    kind: "select",
    name: `chunk of ${press.name}`,
    // A chunk's window lies anywhere in the pass.
    needs: press.needs && { queryRows: Number.POSITIVE_INFINITY },
    select: (entries, target) => {
      const length = evenLength(entries, "chunk");
      if (press.needs) checkWholePass(entries, "chunk");
      const parts: Int32Array[][] = [];
      for (let first = 0; first < length; first += chunkLength) {
        const end = Math.min(first + chunkLength, length);
        const { kept } = selectEntries(press, slice(entries, first, end), {
          // A chunk of a budget is its proportional part.
          share: (part, head) => remaining(part.length(head), target.ratio(entries, head)),
          ratio: (_, head) => target.ratio(entries, head),
          protect: target.protect,
        });
        parts.push(kept.map((list) => list.map((index) => first + index)));
      }
      return { kept: eachHead(entries, (head) => Int32Array.from(parts.flatMap((part) => [...part[head]!]))) };
    },
  };
}

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
