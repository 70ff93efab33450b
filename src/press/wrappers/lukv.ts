/** LU-KV: budgets for each head from curves measured beforehand. */
import { ArgumentError } from "../../errors.ts";
import { defineWrapper, type OptionsOf } from "../define.ts";
import type { LayerEntries } from "../press.ts";
import { numbers, required, whole } from "../settings.ts";
import { evenLength } from "../tools/check.ts";
import { scoresOf } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { largestOf, roundHalfEven } from "../tools/vectors.ts";

export type LUKVOptions = OptionsOf<typeof luKV>;

/** Ratios that the curves are given for: 1% to 99%. */
const STEPS = 99;

/** An inner press's scores, each head with a budget read off its curve; curves of another model are refused when it chooses. */
export const luKV = defineWrapper({
  name: "lukv",
  paper:
    "LU-KV: budgets for each head from curves measured beforehand (Baidu Baige 2026, github.com/baidu-baige/LU-KV)",
  options: {
    /** The part that each head loses at a ratio of 1 to 99 percent, one after the other: [99, layers, KV heads]. */
    budgetCurves: required(numbers),
    /** First entries that are always kept. */
    sink: whole(4, 0),
    /** Newest entries that are always kept. */
    window: whole(1, 0),
  },
  approximate: true,
  select: (layer, inner, { budgetCurves, sink, window }, target) => {
    const length = evenLength(layer, "lukv");
    const scores = scoresOf(inner, layer, target);
    const top = largestOf(scores) + 1;
    for (const list of scores) list.fill(top, 0, sink).fill(top, Math.max(0, length - window));
    const counts = headBudgets(layer, budgetCurves, length, target.ratio(layer, 0));
    return { kept: scores.map((list, head) => layer.highest(list, counts[head]!)) };
  },
});

/** The heads' shares rounded down, and what that loses given to those that lost most. */
function headBudgets(entries: LayerEntries, budgetCurves: ArrayLike<number>, length: number, ratio: number): number[] {
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
