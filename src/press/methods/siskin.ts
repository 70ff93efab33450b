/** The `siskin` press, by the sharpest attention of questions. */
import { definePress, type OptionsOf } from "../define.ts";
import { reach } from "../settings.ts";
import { keepAttended } from "../tools/choose.ts";

export type SiskinOptions = OptionsOf<typeof siskin>;

/**
 * An entry's score is the highest softmax weight that any question token of any question gives it, in any head of any
 * layer. All layers and heads keep the same entries: what is kept is an excerpt of the document.
 */
export const siskin = definePress({
  name: "siskin",
  paper: "The `siskin` press: FINCH's chunk-by-chunk reading, scored by the sharpest attention of any head, with reach",
  options: {
    /**
     * Entries that share an attended one's score: `before` it and `after` it. Digits follow the words that a question
     * matches, so what follows reaches further.
     */
    reach: reach({ before: 6, after: 24 }),
  },
  needs: { questions: { pooling: "sharpest", granularity: "model" } },
  selectModel: (entries, options, target) => keepAttended(entries, target, options.reach),
});
