/** The `siskin` press: FINCH's chunk-by-chunk reading, scored by the sharpest attention of any head, with reach. */
import { ArgumentError } from "../../errors.ts";
import { show } from "../../show.ts";
import type { QuestionPress, Reach } from "../press.ts";

/** Settings of the press. */
export interface SiskinOptions {
  /**
   * Entries that share an attended one's score: `before` it and `after` it. Digits follow the words that a question
   * matches, so what follows reaches further. Default 6 before, 24 after.
   */
  readonly reach?: Reach;
}

/**
 * An entry's score is the highest softmax weight that any question token of any question gives it, in any head of any
 * layer. All layers and heads keep the same entries: what is kept is an excerpt of the document.
 * @throws ArgumentError for a reach that is not two whole numbers
 */
export function siskin(options: SiskinOptions = {}): QuestionPress {
  return {
    kind: "question",
    name: "siskin",
    granularity: "model",
    pooling: "sharpest",
    reach: checkReach(options.reach ?? { before: 6, after: 24 }),
    schedule: "constant",
  };
}

/** @throws ArgumentError for a reach that is not two whole numbers */
export function checkReach(reach: Reach): Reach {
  for (const side of ["before", "after"] as const) {
    if (!Number.isInteger(reach[side]) || reach[side] < 0) {
      throw new ArgumentError(`reach.${side} should be a whole number of entries and is ${show(reach[side])}`);
    }
  }
  return reach;
}
