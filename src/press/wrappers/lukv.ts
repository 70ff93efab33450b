/** LU-KV: budgets for each head from curves measured beforehand (Baidu Baige 2026, github.com/baidu-baige/LU-KV). */
import { ArgumentError } from "../../errors.ts";
import type { LayerEntries, ScorePress, SelectPress } from "../press.ts";
import { checkWhole, evenLength } from "../tools/check.ts";
import { scoresOf } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { largestOf } from "../tools/vectors.ts";
import { roundHalfEven } from "./pyramidkv.ts";

/** Settings of the press. */
export interface LUKVOptions {
  /** The part that each head loses at a ratio of 1 to 99 percent, one after the other: [99, layers, KV heads]. */
  readonly budgetCurves: Float32Array;
  /** First entries that are always kept. */
  readonly sink?: number;
  /** Newest entries that are always kept. */
  readonly window?: number;
}

/** Ratios that the curves are given for: 1% to 99%. */
const STEPS = 99;

/**
 * An inner press's scores, each head with a budget read off its curve.
 * @throws ArgumentError for settings that cannot be, and curves of another model
 */
export function luKV(press: ScorePress, options: LUKVOptions): SelectPress {
  const { budgetCurves, sink = 4, window = 1 } = options;
  checkWhole({ sink, window }, 0);
  return {
    kind: "select",
    name: `lukv of ${press.name}`,
    needs: press.needs,
    select: (entries, target) => {
      const length = evenLength(entries, "lukv");
      const scores = scoresOf(press, entries, target);
      const top = largestOf(scores) + 1;
      for (const list of scores) list.fill(top, 0, sink).fill(top, Math.max(0, length - window));
      const counts = headBudgets(entries, length, target.ratio(entries, 0));
      return { kept: scores.map((list, head) => entries.highest(list, counts[head]!)) };
    },
  };

  /** The heads' shares rounded down, and what that loses given to those that lost most. */
  function headBudgets(entries: LayerEntries, length: number, ratio: number): number[] {
    const { layer, layers, kvHeads } = entries;
    if (budgetCurves.length !== STEPS * layers * kvHeads) {
      throw new ArgumentError(
        `budgetCurves should be ${STEPS} x ${layers} x ${kvHeads} numbers and are ${budgetCurves.length}`,
      );
    }
    const step = Math.min(STEPS, Math.max(1, roundHalfEven(ratio * 100))) - 1;
    const ideal = eachHead(entries, (head) => {
      const lost = budgetCurves[(step * layers + layer) * kvHeads + head]!;
      return Math.fround(Math.fround(Math.min(1, Math.max(0, 1 - lost))) * length);
    });
    const wanted = roundHalfEven(ideal.reduce((sum, count) => Math.fround(sum + count), 0));
    const total = Math.max(kvHeads, Math.min(kvHeads * length, wanted));
    const counts = ideal.map(Math.floor);
    const missing = total - counts.reduce((sum, count) => sum + count, 0);
    const fractions = Float32Array.from(ideal, (count, head) => count - counts[head]!);
    for (const head of entries.highest(fractions, Math.max(0, Math.min(missing, kvHeads)))) counts[head]!++;
    return counts.map((count) => Math.min(length, Math.max(1, count)));
  }
}
