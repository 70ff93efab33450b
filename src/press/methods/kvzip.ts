/** KVzip, by what the model looks at when it repeats the text. */
import { keptTogether, type Target } from "../budget.ts";
import { definePress, type OptionsOf } from "../define.ts";
import type { LayerEntries, LayerSelection, ModelEntries, ModelSelection, ReplayLayer } from "../press.ts";
import { type Checked, flag, whole } from "../settings.ts";
import { join, splitIndices } from "../tools/choose.ts";
import { KnownScores } from "../tools/course.ts";
import { eachHead } from "../tools/each-head.ts";
import { rowNorms } from "../tools/vectors.ts";

export type KVzipOptions = OptionsOf<typeof kvzip>;

/** Tokens of the chunk before that the instruction to go on ends with. */
const REMINDER = 8;

const options = {
  /** Whether every layer keeps the same part; else all heads of the model share one budget. */
  layerwise: flag(false),
  /** First entries that are always kept. */
  nSink: whole(4, 0),
  /** KVzip+: weights are divided by the norm of the hidden state that looks and multiplied by that of what the value writes. */
  kvzipPlusNormalization: flag(false),
  /** Tokens that are repeated in one pass. */
  chunkSize: whole(2048),
};
type Settled = Checked<typeof options>;

/**
 * The model is asked to repeat the text, chunk after chunk; an entry's score is the highest weight that it is given.
 * Costs two to three times the pass itself. Read in chunks, what is left of one keeps the score that it got there; entries
 * that another reading left are refused.
 */
export const kvzip = definePress({
  name: "kvzip",
  paper:
    "KVzip: Query-Agnostic KV Cache Compression with Context Reconstruction (Kim et al., NeurIPS 2025, arXiv 2505.23416)",
  options,
  approximate: true,
  selectModel: (entries, settings, target) => new Course(settings).select(entries, target),
  course: (settings) => new Course(settings),
});

/** The way through a text, in one pass or in several: what is left of a pass keeps the scores that it got there. */
class Course implements ModelSelection {
  readonly #options: Settled;
  readonly #known = new KnownScores("kvzip");
  /** The last tokens of the passes before. */
  #before: readonly number[] = [];

  constructor(options: Settled) {
    this.#options = options;
  }

  select(entries: ModelEntries, target: Target): readonly LayerSelection[] {
    const scores = this.#known.before(entries);
    addScores(entries, this.#options, this.#before, scores);
    const selections = selectTogether(
      entries,
      target,
      scores.map((heads) => heads.map((list) => list.slice())),
      this.#options,
    );
    this.#known.keep(selections, scores);
    this.#before = [...this.#before, ...entries.tokens].slice(-REMINDER);
    return selections;
  }
}

/** A chunk of the text and the entries that stand before it in the score's softmax. */
interface Chunk {
  readonly first: number;
  readonly end: number;
  readonly sinks: number;
}

/**
 * Adds the scores of a pass's entries, chunk after chunk; those of the prompt's head stay 0.
 * @param before the last tokens of the passes before
 * @param scores for each layer and KV head [length], of which the pass's entries are the last
 */
function addScores(
  entries: ModelEntries,
  { chunkSize, nSink, kvzipPlusNormalization }: Settled,
  before: readonly number[],
  scores: readonly (readonly Float32Array[])[],
): void {
  const { tokens, frame } = entries;
  const headed = before.length === 0 && frame.head.every((token, i) => token === tokens[i]);
  const start = headed ? frame.head.length : 0;
  for (let first = start; first < tokens.length; first += chunkSize) {
    const end = Math.min(first + chunkSize, tokens.length);
    const told = [...before, ...tokens.subarray(start, first)].slice(-REMINDER);
    const instruction =
      told.length === 0
        ? entries.encode("\n\nRepeat the previous context exactly.")
        : [...entries.encode("\n\nRepeat the part of the previous context exactly, starting with"), ...told];
    const replay = entries.replay(Int32Array.from([...instruction, ...frame.tail, ...tokens.subarray(first, end)]));
    for (const [index, layer] of entries.layers.entries()) {
      for (const [head, list] of scores[index]!.entries()) {
        const offset = list.length - tokens.length;
        const chunk = { first: offset + first, end: offset + end, sinks: Math.min(nSink, offset + first) };
        list.set(chunkScores(layer, replay[index]!, head, chunk, kvzipPlusNormalization), chunk.first);
      }
    }
  }
}

/** Keeps the highest scores of all layers together or of each, and the sinks. */
function selectTogether(
  entries: ModelEntries,
  target: Target,
  scores: readonly (readonly Float32Array[])[],
  { layerwise, nSink }: Settled,
): LayerSelection[] {
  const { first, last } = target.protect;
  for (const list of scores.flat()) {
    list.fill(Number.POSITIVE_INFINITY, 0, Math.max(nSink, first));
    list.fill(Number.POSITIVE_INFINITY, Math.max(0, list.length - last));
  }
  if (layerwise) {
    return scores.map((heads, layer) => {
      const count = together(target, [entries.layers[layer]!]);
      return {
        kept: splitIndices(
          entries.highest(join(heads), count),
          heads.map(({ length }) => length),
        ),
      };
    });
  }
  const count = together(target, entries.layers);
  const all = scores.flat();
  const lists = splitIndices(
    entries.highest(join(all), count),
    all.map(({ length }) => length),
  );
  const { kvHeads } = entries.layers[0]!;
  return scores.map((_, layer) => ({ kept: lists.slice(layer * kvHeads, (layer + 1) * kvHeads) }));
}

/** Entries that heads keep together; of a ratio all are counted at once, as kvpress does: n - int(n · ratio). */
function together(target: Target, layers: readonly LayerEntries[]): number {
  if (target.asked === undefined) return keptTogether(target, layers);
  const all = layers.reduce(
    (sum, layer) => sum + eachHead(layer, (head) => layer.length(head)).reduce((a, b) => a + b, 0),
    0,
  );
  return all - Math.trunc(all * target.asked);
}

/** The highest weight that any row and query head of the group gives to the entries of a chunk. */
function chunkScores(
  entry: LayerEntries,
  replay: ReplayLayer,
  head: number,
  chunk: Chunk,
  plus: boolean,
): Float32Array {
  const norms = plus ? replay.hiddenNorms() : undefined;
  const result = new Float32Array(chunk.end - chunk.first);
  for (const [member, weights] of chunkWeights(entry, replay, head, chunk).entries()) {
    const written = plus ? outputNorms(entry, head * entry.group + member, head, chunk) : undefined;
    for (let i = 0; i < weights.length; i++) {
      const column = i % result.length;
      let weight = weights[i]!;
      if (norms && written) weight *= written[column]! / norms[Math.floor(i / result.length)]!;
      result[column] = Math.max(result[column]!, weight);
    }
  }
  return result;
}

/**
 * The weights that the replay's rows give to a chunk's entries, seeing beside them the sinks and the rows up to themselves.
 * @returns for each query head of the group [rows, chunk]
 */
function chunkWeights(entry: LayerEntries, replay: ReplayLayer, head: number, chunk: Chunk): Float32Array[] {
  const { headSize, group } = entry;
  const { first, end, sinks } = chunk;
  const keys = entry.keys(head);
  const own = replay.keys(head);
  const before = sinks + end - first;
  const seen = new Float32Array((before + replay.rows) * headSize);
  seen.set(keys.subarray(0, sinks * headSize));
  seen.set(keys.subarray(first * headSize, end * headSize), sinks * headSize);
  seen.set(own, before * headSize);
  const width = before + replay.rows;
  return Array.from({ length: group }, (_, member) => {
    const weights = entry.attend(replay.queries(head * group + member), seen, (row) => before + row + 1);
    const result = new Float32Array(replay.rows * (end - first));
    for (let row = 0; row < replay.rows; row++) {
      result.set(weights.subarray(row * width + sinks, row * width + before), row * (end - first));
    }
    return result;
  });
}

/** L2 norm of what each value of a chunk writes through a query head's output projection: [chunk]. */
function outputNorms(entry: LayerEntries, queryHead: number, head: number, { first, end }: Chunk): Float64Array {
  const { headSize, hiddenSize } = entry;
  const values = entry.values(head).subarray(first * headSize, end * headSize);
  return rowNorms(entry.multiply(values, entry.outputProjection(queryHead), headSize), hiddenSize);
}
