/** From scores to the entries kept: reach, protection, and the top of a list. */
import type { Core } from "../../core/core.ts";
import { ArgumentError, NumericError } from "../../errors.ts";
import { keptOf, keptTogether, type Target } from "../budget.ts";
import type {
  LayerEntries,
  LayerPress,
  LayerSelection,
  ModelEntries,
  ModelSelection,
  PassPress,
  Reach,
  ScorePress,
} from "../press.ts";
import { eachHead } from "./each-head.ts";
import { checkedScores, checkedSelection, checkedSelections } from "./results.ts";

/** Entry t takes the highest score of the entries t - after ... t + before, in the cache's order. */
export function spread(scores: Float32Array, { before, after }: Reach): Float32Array {
  if (before === 0 && after === 0) return scores;
  const result = new Float32Array(scores.length);
  /** Indices of falling scores in the window (a monotonic queue): each is looked at twice at most. */
  const queue: number[] = [];
  let front = 0;
  let next = 0;
  for (let entry = 0; entry < scores.length; entry++) {
    for (; next <= Math.min(entry + before, scores.length - 1); next++) {
      while (queue.length > front && scores[queue.at(-1)!]! <= scores[next]!) queue.pop();
      queue.push(next);
    }
    while (queue[front]! < entry - after) front++;
    result[entry] = scores[queue[front]!]!;
  }
  return result;
}

/**
 * Indices of the `keep` highest scores, ascending; ties go to the lower index.
 * @throws NumericError when a score is NaN
 */
export function highest(core: Core, scores: Float32Array, keep: number): Int32Array {
  if (scores.some(Number.isNaN)) throw new NumericError("A press gave a score that is NaN");
  const count = scores.length;
  return core.borrow({ given: count * 4, top: count * 4, work: count * 4 }, ({ given, top, work }) => {
    core.f32(given, count).set(scores);
    core.kernels.topIndices(given, count, keep, top, work);
    return core.i32(top, Math.min(keep, count)).slice();
  });
}

/** A press's scores, checked, in arrays of their own. @throws ArgumentError, NumericError for scores that cannot be */
export function rawScores(press: ScorePress, entries: LayerEntries, target: Target): Float32Array[] {
  return checkedScores(press.name, entries, press.score(entries, target));
}

/**
 * A press's scores, in arrays of their own; protected entries have the score infinity.
 * @throws ArgumentError when more entries are protected than are to be kept, or as `rawScores`
 */
export function scoresOf(press: ScorePress, entries: LayerEntries, target: Target): Float32Array[] {
  return rawScores(press, entries, target).map((scores, head) =>
    protectedScores(scores, target, keptOf(target, entries, head)),
  );
}

/** Scores in which protected entries have infinity, in place. @throws ArgumentError when there are more of them than `keep` */
export function protectedScores(scores: Float32Array, { protect }: Target, keep: number): Float32Array {
  const { first, last } = protect;
  if (first + last === 0) return scores;
  if (Math.min(first + last, scores.length) > keep) {
    throw new ArgumentError(`${first + last} entries are protected and only ${keep} are to be kept`);
  }
  scores.fill(Number.POSITIVE_INFINITY, 0, first);
  return scores.fill(Number.POSITIVE_INFINITY, Math.max(0, scores.length - last));
}

/**
 * The entries that questions look at most; heads that share their scores keep the same.
 * @param reach how far a score reaches
 * @param keep how many entries a head of a layer keeps
 * @throws ArgumentError when more entries are protected than are to be kept
 */
export function keepAttended(
  entries: ModelEntries,
  target: Target,
  reach: Reach,
  keep: (layer: LayerEntries, head: number) => number = (layer, head) => keptOf(target, layer, head),
): LayerSelection[] {
  const chosen = new Map<Float32Array, { readonly count: number; readonly kept: Int32Array }>();
  return entries.layers.map((layer) => ({
    kept: eachHead(layer, (head) => {
      const scores = layer.questionScores(head);
      const count = keep(layer, head);
      const known = chosen.get(scores);
      if (known?.count === count) return known.kept;
      const kept = layer.highest(protectedScores(spread(scores, reach).slice(), target, count), count);
      chosen.set(scores, { count, kept });
      return kept;
    }),
  }));
}

/**
 * What a layer press keeps of a layer; of a score press, the highest scores of every head. Where no head holds anything,
 * the press is not asked.
 * @throws ArgumentError where some heads are empty and others not, and for results that cannot be
 */
export function selectEntries(press: LayerPress, entries: LayerEntries, target: Target): LayerSelection {
  const empty = eachHead(entries, (head) => entries.length(head) === 0);
  if (empty.every(Boolean)) return { kept: empty.map(() => new Int32Array(0)) };
  if (empty.some(Boolean)) {
    throw new ArgumentError(
      `The ${press.name} press cannot choose in layer ${entries.layer}, where head ${empty.indexOf(true)} is empty and others are not`,
    );
  }
  if (press.kind === "select") return checkedSelection(press.name, entries, press.select(entries, target));
  return {
    kept: scoresOf(press, entries, target).map((scores, head) =>
      entries.highest(scores, keptOf(target, entries, head)),
    ),
  };
}

/**
 * What a press keeps of a cache after a pass: one selection a layer.
 * @param course the press's way through the chunks of a document, where it has one
 * @throws ArgumentError for what it cannot do here, and for results that cannot be
 */
export function selectAll(
  press: PassPress,
  entries: ModelEntries,
  target: Target,
  course?: ModelSelection | undefined,
): readonly LayerSelection[] {
  const chooser = course ?? (press.kind === "model" ? press : undefined);
  const selections = chooser
    ? checkedSelections(press.name, entries, chooser.select(entries, target))
    : entries.layers.map((layer) => selectEntries(press as LayerPress, layer, target));
  if (press.kind !== "score" && press.keepsBudget) checkKept(press.name, entries, target, selections);
  return selections;
}

/** @throws ArgumentError where more is kept than the budget of all heads together */
function checkKept(
  press: string,
  { layers }: ModelEntries,
  target: Target,
  selections: readonly LayerSelection[],
): void {
  const kept = selections.reduce((sum, layer) => sum + layer.kept.reduce((part, list) => part + list.length, 0), 0);
  const most = keptTogether(target, layers);
  if (kept > most) throw new ArgumentError(`The ${press} press keeps ${kept} entries; the budget is ${most}`);
}

/** Splits indices into lists that stand one after the other, `lengths` long, into indices of each list. */
export function splitIndices(indices: Int32Array, lengths: readonly number[]): Int32Array[] {
  let start = 0;
  return lengths.map((length) => {
    const first = start;
    start += length;
    return indices.filter((index) => index >= first && index < first + length).map((index) => index - first);
  });
}

/** Lists one after the other. */
export function join(lists: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(lists.reduce((sum, list) => sum + list.length, 0));
  let start = 0;
  for (const list of lists) {
    result.set(list, start);
    start += list.length;
  }
  return result;
}
