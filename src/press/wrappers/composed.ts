/** Several methods after one another, each on what the one before it left. */
import { ArgumentError } from "../../errors.ts";
import { noTarget, ratioTarget } from "../budget.ts";
import { pick } from "../entries.ts";
import type { LayerPress, LayerSelection, SelectPress } from "../press.ts";
import { selectEntries } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { pickRows, range } from "../tools/vectors.ts";

/** One of the methods, and the part of what it finds that it removes; none for a method that needs no budget. */
export interface ComposedStep {
  readonly press: LayerPress;
  readonly ratio?: number;
}

/** Runs presses one after another; takes no other budget. @throws ArgumentError for no step or a ratio outside [0, 1) */
export function composed(steps: readonly ComposedStep[]): SelectPress {
  if (steps.length === 0) throw new ArgumentError("There is no press to compose");
  const targets = steps.map(({ press, ratio }) => {
    if (ratio === undefined && !press.ownBudget) throw new ArgumentError(`The ${press.name} press needs its ratio`);
    if (ratio !== undefined && press.ownBudget) {
      throw new ArgumentError(`The ${press.name} press says itself how much it keeps: leave out ratio`);
    }
    return ratio === undefined ? noTarget(press.name) : ratioTarget(ratio);
  });
  const rows = Math.max(...steps.map(({ press }) => press.needs?.queryRows ?? 0));
  return {
    kind: "select",
    name: `composed of ${steps.map(({ press }) => press.name).join(", ")}`,
    needs: rows > 0 ? { queryRows: rows } : undefined,
    ownBudget: true,
    select: (entries) => {
      let selection: LayerSelection = { kept: eachHead(entries, (head) => range(0, entries.length(head))) };
      for (const [index, { press }] of steps.entries()) {
        const next = selectEntries(press, pick(entries, selection.kept, selection), targets[index]!);
        selection = combine(selection, next, entries.headSize);
      }
      return selection;
    },
  };
}

/** What is left when `next` was chosen of what `before` had left. */
function combine(before: LayerSelection, next: LayerSelection, headSize: number): LayerSelection {
  const content = (name: "keys" | "values") =>
    next[name] ?? before[name]?.map((rows, head) => pickRows(rows, headSize, next.kept[head]!));
  return {
    kept: next.kept.map((list, head) => list.map((index) => before.kept[head]![index]!)),
    keys: content("keys"),
    values: content("values"),
  };
}
