/** FINCH: prompt-guided key-value cache compression (Corallo and Papotti, TACL 2024). */
import type { QuestionPress, Reach } from "../press.ts";
import { checkReach } from "./siskin.ts";

/** Settings of the press. */
export interface FinchOptions {
  /** Whether each layer keeps its own entries (as published) or each KV head. */
  readonly granularity?: "layer" | "head";
  /** `linear` (as published): the budget grows in proportion to what has been read. */
  readonly schedule?: "linear" | "constant";
  /** Entries that share an attended one's score; none as published. */
  readonly reach?: Reach;
}

/**
 * An entry's score is the weight that question tokens give it times the number of entries they see, averaged over the
 * question's tokens, and summed over a layer's heads or averaged over the query heads of a KV head.
 * @throws ArgumentError for a reach that is not two whole numbers
 */
export function finch(options: FinchOptions = {}): QuestionPress {
  return {
    kind: "question",
    name: "finch",
    granularity: options.granularity ?? "layer",
    pooling: "mean",
    reach: checkReach(options.reach ?? { before: 0, after: 0 }),
    schedule: options.schedule ?? "linear",
  };
}
