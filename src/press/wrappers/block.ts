/** Block-wise eviction, as in KeyDiff: Key Similarity-Based KV Cache Eviction (Park et al. 2025, arXiv 2504.15364). */
import { ArgumentError } from "../../errors.ts";
import { keptOf } from "../budget.ts";
import { pick } from "../entries.ts";
import type { ScorePress, SelectPress } from "../press.ts";
import { checkWhole } from "../tools/check.ts";
import { scoresOf } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { range } from "../tools/vectors.ts";

/** Settings of the press. */
export interface BlockOptions {
  /** Entries that join the kept ones at a time. */
  readonly blockSize?: number;
}

/**
 * The first entries up to the budget, then block after block: each joins the kept ones, and the best of both survive.
 * @throws ArgumentError for settings that cannot be, and a press that looks at more than keys, values and positions
 */
export function block(press: ScorePress, options: BlockOptions = {}): SelectPress {
  const { blockSize = 128 } = options;
  checkWhole({ blockSize }, 1);
  if (press.needs) throw new ArgumentError(`The block press cannot go by ${press.name}, which looks at queries`);
  return {
    kind: "select",
    name: `block of ${press.name}`,
    select: (entries, target) => ({
      kept: eachHead(entries, (head) => {
        const length = entries.length(head);
        const count = keptOf(target, entries, head);
        let kept = range(0, count);
        for (let first = count; first < length; first += blockSize) {
          const joined = Int32Array.from([...kept, ...range(first, Math.min(first + blockSize, length))]);
          const view = pick(
            entries,
            eachHead(entries, () => joined),
          );
          const scores = scoresOf(press, view, { ...target, share: () => count })[head]!;
          kept = entries.highest(scores, count).map((index) => joined[index]!);
        }
        return kept;
      }),
    }),
  };
}
