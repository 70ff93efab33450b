/** KVCompose, by a second pass over the text, ranks sharing one budget. */
import { ArgumentError } from "../../errors.ts";
import { keptOf, keptTogether, type Target } from "../budget.ts";
import { definePress, type OptionsOf } from "../define.ts";
import type { LayerEntries, ModelEntries, ReplayLayer } from "../press.ts";
import { type Checked, choice, flag, whole } from "../settings.ts";
import { join, protectedScores } from "../tools/choose.ts";
import { eachHead, eachMember } from "../tools/each-head.ts";
import { meanOf, range, rowNorms } from "../tools/vectors.ts";

export type KVComposeOptions = OptionsOf<typeof kvCompose>;

/** Raises a score above all others. */
const FIRST = 1e9;
/** Rows whose weights are held at once. */
const BLOCK = 256;

const aggregates = ["max", "mean"] as const;
type Aggregate = (typeof aggregates)[number];

const options = {
  /** Whether the heads of a layer keep the same number of entries. */
  structured: flag(true),
  /** How the weights of all rows become one. */
  aggTask: choice(aggregates, "max"),
  /** How those of a KV head's query heads become one. */
  aggGroup: choice(aggregates, "mean"),
  /** How the heads' scores of one rank become the layer's. */
  aggHead: choice(aggregates, "mean"),
  /** Whether a score is multiplied with the norm of the entry's value. */
  addVNorm: flag(false),
  /** Whether the mean over the layer's heads is added to a score. */
  addMeanAcrossHeads: flag(true),
  /** Entries that every layer keeps at least. */
  keepTokenLowerBound: whole(0, 0),
};
type Settled = Checked<typeof options>;

/**
 * The text is run a second time behind itself; an entry's score is the weight that these rows give it. Scores sorted by
 * rank compete across layers for one budget; each head then keeps its own best.
 */
export const kvCompose = definePress({
  name: "kvcompose",
  paper:
    "KVCompose: Efficient Structured KV Cache Compression with Composite Tokens (Akulov et al. 2025, arXiv 2509.05165)",
  options,
  approximate: true,
  selectModel: (entries, settings, target) => {
    for (const layer of entries.layers) checkWholeCache(layer, entries.tokens.length);
    const replay = entries.replay(entries.tokens);
    const scores = entries.layers.map((layer, index) =>
      layerScores(layer, replay[index]!, settings).map((list, head) =>
        protectedScores(list, target, keptOf(target, layer, head)),
      ),
    );
    const counts = (settings.structured ? layerCounts : headCounts)(entries, target, scores, settings);
    return scores.map((heads, layer) => ({
      kept: heads.map((list, head) => entries.highest(list, counts[layer]![head]!)),
    }));
  },
});

function layerScores(layer: LayerEntries, replay: ReplayLayer, settings: Settled): Float32Array[] {
  const { aggTask, aggGroup, addVNorm, addMeanAcrossHeads } = settings;
  const scores = eachHead(layer, (head) => {
    const members = eachMember(layer, head, (queryHead) => taskScores(layer, replay, head, queryHead, aggTask));
    const score = aggregated(members, aggGroup);
    if (!addVNorm) return score;
    const norms = rowNorms(layer.values(head), layer.headSize);
    return score.map((value, i) => value * norms[i]!);
  });
  if (!addMeanAcrossHeads) return scores;
  const mean = meanOf(scores);
  return scores.map((list) => list.map((score, i) => score + mean[i]!));
}

/** Falling scores, of which the first are raised so that they are kept for certain. */
function ranked(scores: Float32Array, keepTokenLowerBound: number): Float32Array {
  return scores
    .toSorted()
    .reverse()
    .map((score, rank) => (rank < keepTokenLowerBound ? score + FIRST : score));
}

function headCounts(
  entries: ModelEntries,
  target: Target,
  scores: readonly Float32Array[][],
  { keepTokenLowerBound }: Settled,
): number[][] {
  const { kvHeads } = entries.layers[0]!;
  const length = entries.tokens.length;
  const counts = scores.map((heads) => heads.map(() => 0));
  const total = length * kvHeads * scores.length;
  const kept = asked(target, total) ?? keptTogether(target, entries.layers);
  for (const index of entries.highest(join(scores.flat().map((list) => ranked(list, keepTokenLowerBound))), kept)) {
    const head = Math.floor(index / length);
    counts[Math.floor(head / kvHeads)]![head % kvHeads]!++;
  }
  return counts;
}

function layerCounts(
  entries: ModelEntries,
  target: Target,
  scores: readonly Float32Array[][],
  { aggHead, keepTokenLowerBound }: Settled,
): number[][] {
  const { kvHeads } = entries.layers[0]!;
  const length = entries.tokens.length;
  const composite = scores.map((heads) =>
    ranked(
      aggregated(
        heads.map((list) => list.toSorted().reverse()),
        aggHead,
      ),
      keepTokenLowerBound,
    ),
  );
  // The first layer never keeps less than another.
  composite[0] = aggregated(composite, "max");
  const kept = asked(target, length * scores.length) ?? Math.trunc(keptTogether(target, entries.layers) / kvHeads);
  const counts = scores.map(() => 0);
  for (const index of entries.highest(join(composite), kept)) counts[Math.floor(index / length)]!++;
  return counts.map((count) => Array(kvHeads).fill(Math.max(1, keepTokenLowerBound, count)));
}

/** What is left of `total` where a ratio was asked for. */
function asked(target: Target, total: number): number | undefined {
  return target.asked === undefined ? undefined : Math.max(1, Math.trunc(total * (1 - target.asked)));
}

function aggregated(lists: readonly Float32Array[], how: Aggregate): Float32Array {
  if (how === "mean") return meanOf(lists);
  return lists[0]!.map((_, i) =>
    lists.reduce((largest, list) => Math.max(largest, list[i]!), Number.NEGATIVE_INFINITY),
  );
}

/** The largest or the mean weight that the replay's rows, which see all entries and themselves, give to each entry. */
function taskScores(
  layer: LayerEntries,
  replay: ReplayLayer,
  head: number,
  queryHead: number,
  how: Aggregate,
): Float32Array {
  const { headSize } = layer;
  const length = layer.length(head);
  const keys = join([layer.keys(head), replay.keys(head)]);
  const queries = replay.queries(queryHead);
  const result = new Float32Array(length);
  for (let first = 0; first < replay.rows; first += BLOCK) {
    const rows = queries.subarray(first * headSize, (first + BLOCK) * headSize);
    const weights = layer.attend(rows, keys, (row) => length + first + row + 1);
    const width = keys.length / headSize;
    for (let row = 0; row < rows.length / headSize; row++) {
      const line = weights.subarray(row * width, (row + 1) * width);
      for (let i = 0; i < length; i++) {
        if (how === "max") result[i] = Math.max(result[i]!, line[i]!);
        else result[i]! += line[i]! / replay.rows;
      }
    }
  }
  return result;
}

/** @throws ArgumentError unless every head holds the pass and nothing else */
function checkWholeCache(entry: LayerEntries, length: number): void {
  for (const head of range(0, entry.kvHeads)) {
    if (entry.length(head) !== length) {
      throw new ArgumentError(
        `The kvcompose press needs a cache that holds one pass: there are ${entry.length(head)} entries of a pass of ${length} tokens`,
      );
    }
  }
}
