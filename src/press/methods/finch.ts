/** FINCH as published: a document in chunks, by the mean attention of a question. */
import { definePress, type OptionsOf } from "../define.ts";
import type { ModelSelection, Reach } from "../press.ts";
import { choice, reach } from "../settings.ts";
import { keepAttended } from "../tools/choose.ts";

export type FinchOptions = OptionsOf<typeof finch>;

/**
 * An entry's score is the weight that question tokens give it times the number of entries they see, averaged over the
 * question's tokens, and summed over a layer's heads or averaged over the query heads of a KV head.
 */
export const finch = definePress({
  name: "finch",
  paper: "FINCH: prompt-guided key-value cache compression (Corallo and Papotti, TACL 2024)",
  options: {
    /** Whether each layer keeps its own entries (as published) or each KV head. */
    granularity: choice(["layer", "head"], "layer"),
    /** `linear` (as published): the budget grows in proportion to what has been read; a stream has to be read with `constant`. */
    schedule: choice(["linear", "constant"], "linear"),
    /** Entries that share an attended one's score; none as published. */
    reach: reach({ before: 0, after: 0 }),
  },
  needs: ({ granularity, schedule }) => ({
    questions: { pooling: "mean", granularity },
    textLength: schedule === "linear",
  }),
  selectModel: (entries, options, target) => keepAttended(entries, target, options.reach),
  course: (options): ModelSelection | undefined => (options.schedule === "linear" ? growing(options.reach) : undefined),
});

/** A budget that grows from what earlier readings left. */
function growing(reach: Reach): ModelSelection {
  let held: number | undefined;
  let read = 0;
  return {
    select: (entries, target) => {
      const { first, last } = target.protect;
      const { length } = entries.tokens;
      const before = entries.layers[0]!.length(0) - length;
      held ??= before;
      read += length;
      return keepAttended(entries, target, reach, (layer, head) => {
        const budget = target.share(layer, head);
        const start = Math.min(budget, held!);
        return Math.max(1, first + last, start + Math.trunc(((budget - start) * read) / entries.textLength!));
      });
    },
  };
}
