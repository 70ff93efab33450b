/** Several methods after one another, each on what the one before it left. */
import { ArgumentError } from "../../errors.ts";
import { noTarget, ratioTarget } from "../budget.ts";
import { definePress } from "../define.ts";
import { pick } from "../entries.ts";
import type { LayerPress, LayerSelection } from "../press.ts";
import { group, innerPress, list, optional, removed, required } from "../settings.ts";
import { joinedNeeds } from "../tools/check-press.ts";
import { selectEntries } from "../tools/choose.ts";
import { eachHead } from "../tools/each-head.ts";
import { pickRows, range } from "../tools/vectors.ts";

/** One of the methods, and the part of what it finds that it removes; none for a method that needs no budget. */
export interface ComposedStep {
  readonly press: LayerPress;
  readonly ratio?: number | undefined;
}

const byName = definePress({
  name: "composed",
  paper: "Several methods after one another, each on what the one before it left",
  options: {
    /** The methods in their order. */
    presses: required(() =>
      list(() => group({ press: required(() => innerPress("score", "select")), ratio: optional(removed) })),
    ),
  },
  check: ({ presses }) => {
    for (const { press, ratio } of presses) {
      if (ratio === undefined && !press.ownBudget) throw new ArgumentError(`The ${press.name} press needs its ratio`);
      if (ratio !== undefined && press.ownBudget) {
        throw new ArgumentError(`The ${press.name} press says itself how much it keeps: leave out ratio`);
      }
    }
  },
  needs: ({ presses }) => joinedNeeds(presses.map(({ press }) => press)),
  title: ({ presses }) => `composed of ${presses.map(({ press }) => press.name).join(", ")}`,
  ownBudget: true,
  select: (layer, { presses }) => {
    let selection: LayerSelection = { kept: eachHead(layer, (head) => range(0, layer.length(head))) };
    for (const { press, ratio } of presses) {
      const target = ratio === undefined ? noTarget(press.name) : ratioTarget(ratio);
      const next = selectEntries(press, pick(layer, selection.kept, selection), target);
      selection = combine(selection, next, layer.headSize);
    }
    return selection;
  },
});

/** Runs presses one after another; takes no other budget. @throws ArgumentError for no step or a ratio outside [0, 1) */
export const composed = Object.assign((presses: readonly ComposedStep[]) => byName({ presses }), {
  definition: byName.definition,
});

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
