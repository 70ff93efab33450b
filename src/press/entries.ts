/** The cache of a layer as presses see it, and parts of it. */
import type { KeyValueCache } from "../cache/cache.ts";
import type { Core } from "../core/core.ts";
import { ArgumentError } from "../errors.ts";
import type { Decoder } from "../model/decoder.ts";
import { meanRotation, rotate, unrotate } from "../rotary/rotate.ts";
import type { Arithmetic, LayerContent, LayerEntries } from "./press.ts";
import { softmaxRow } from "./tools/attention.ts";
import { highest } from "./tools/choose.ts";
import { pickRows } from "./tools/vectors.ts";

/** What was kept of a pass for the presses that look at more than the cache. */
export interface PassRecord {
  /** Rows whose queries were kept. */
  readonly rows: number;
  /** For each layer [rows, query heads · headSize], before rotation. */
  readonly queries: readonly Float32Array[];
  /** Whether the pass is a chunk of a longer text. */
  readonly chunked: boolean;
  /** Tokens of that text, where their number is known. */
  readonly textLength: number | undefined;
  /** What questions behind the pass gave each entry of a head; undefined where none were run. */
  readonly questionScores?: ((layer: number, head: number) => Float32Array) | undefined;
}

/** One layer of a cache. */
export function cachedEntries(
  layer: number,
  cache: KeyValueCache,
  core: Core,
  decoder: Decoder,
  record: PassRecord,
): LayerEntries {
  const { layers, kvHeads, headSize } = cache;
  const { queryHeads, hiddenSize } = decoder.config;
  const positions = (head: number) => cache.positions(layer, head);
  const places = (head: number) => cache.places(layer, head);
  let outputWeights: Float32Array | undefined;
  return withAttention({
    ...arithmetic(core),
    layer,
    layers,
    kvHeads,
    keyHeads: kvHeads,
    group: queryHeads / kvHeads,
    headSize,
    hiddenSize,
    frequencies: cache.turning(layer).frequencies,
    attentionScale: decoder.attentionScale(layer),
    scoreCap: decoder.scoreCap(layer),
    chunked: record.chunked,
    queryRows: record.rows,
    length: (head) => cache.length(layer, head),
    keys: (head) => cache.keys(layer, head),
    values: (head) => cache.values(layer, head),
    positions,
    places,
    queryPlaces: (head) => places(head).subarray(cache.length(layer, head) - record.rows),
    queries: (queryHead) => {
      if (record.rows > 0) return columns(record.queries[layer]!, record.rows, queryHead, headSize);
      throw new ArgumentError("Queries were not kept: a press must say in `needs` that it looks at them");
    },
    outputProjection: (queryHead) => {
      outputWeights ??= decoder.outputProjection(layer);
      return columns(outputWeights, hiddenSize, queryHead, headSize);
    },
    questionScores: (head) => {
      if (record.questionScores) return record.questionScores(layer, head);
      throw new ArgumentError("No questions were run: a press must say in `needs` that it looks at them");
    },
  });
}

/** What presses leave to the core. */
export function arithmetic(core: Core): Arithmetic {
  return {
    multiply: (a, b, depth) => multiplyRows(core, a, b, depth),
    highest: (scores, keep) => highest(core, scores, keep),
  };
}

/** A layer with what follows from its content: how it turns, and how it attends. */
function withAttention(content: LayerContent): LayerEntries {
  const { headSize, group, frequencies, attentionScale, scoreCap, queryRows } = content;
  const turned = (rows: Float32Array, places: ArrayLike<number>) => rotate(rows, headSize, places, frequencies);
  const entries: LayerEntries = {
    ...content,
    rotate: turned,
    unrotate: (rows, places) => unrotate(rows, headSize, places, frequencies),
    meanRotation: (first, count) => meanRotation(first, count, headSize, frequencies),
    rotatedQueries: (queryHead) =>
      turned(content.queries(queryHead), content.queryPlaces(Math.floor(queryHead / group))),
    attend: (queries, keys, visible) => {
      const weights = content.multiply(queries, keys, headSize);
      const width = keys.length / headSize;
      for (let row = 0; row * width < weights.length; row++) {
        softmaxRow(weights.subarray(row * width, (row + 1) * width), visible(row), attentionScale, scoreCap);
      }
      return weights;
    },
    attention: (head, rows) => {
      const [first, end] = typeof rows === "number" ? [queryRows - rows, queryRows] : rows;
      const seen = content.length(head) - queryRows + first + 1;
      const places = content.queryPlaces(head).subarray(first, end);
      const keys = content.keys(head);
      return Array.from({ length: group }, (_, member) => {
        const queries = content.queries(head * group + member).subarray(first * headSize, end * headSize);
        return entries.attend(turned(queries, places), keys, (row) => seen + row);
      });
    },
  };
  return entries;
}

/** The columns of one head in rows of several: [rows, headSize]. */
export function columns(matrix: Float32Array, rows: number, head: number, headSize: number): Float32Array {
  const width = matrix.length / rows;
  const result = new Float32Array(rows * headSize);
  for (let row = 0; row < rows; row++) {
    const from = row * width + head * headSize;
    result.set(matrix.subarray(from, from + headSize), row * headSize);
  }
  return result;
}

/** Products of every row of `a` with every row of `b`, rows of `depth`: [rows of a, rows of b]. */
function multiplyRows(core: Core, a: Float32Array, b: Float32Array, depth: number): Float32Array {
  if (!(depth >= 1) || a.length % depth !== 0 || b.length % depth !== 0) {
    throw new ArgumentError(`multiply takes rows of ${depth}, which ${a.length} and ${b.length} numbers are not`);
  }
  const rows = a.length / depth;
  const columns = b.length / depth;
  const tiles = Math.ceil(rows / 4);
  const stride = Math.ceil(columns / 8) * 8;
  const sizes = {
    left: a.byteLength,
    right: b.byteLength,
    activations: tiles * 16 * depth,
    weights: stride * depth * 4,
    results: tiles * 16 * stride,
  };
  return core.borrow(sizes, ({ left, right, activations, weights, results }) => {
    core.f32(left, a.length).set(a);
    core.f32(right, b.length).set(b);
    core.kernels.packRowsF32(left, activations, rows, depth, 0, tiles);
    core.kernels.packF32(right, columns, depth, weights);
    core.kernels.matmulF32(activations, weights, results, stride * 4, rows, depth, 0, stride / 8, 0);
    const product = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      product.set(core.f32(results + row * stride * 4, columns), row * columns);
    }
    return product;
  });
}

/** New content of keys and values that a press wrote, for each KV head. */
interface Content {
  readonly keys?: readonly Float32Array[] | undefined;
  readonly values?: readonly Float32Array[] | undefined;
}

/**
 * A layer of which only some entries are left.
 * @param lists for each KV head the entries, in the order that they are seen in
 * @param content keys and values of those entries, where they have changed
 * @param queries first and end of the kept query rows that are seen; all of them when not given
 */
export function pick(
  entries: LayerEntries,
  lists: readonly ArrayLike<number>[],
  content: Content = {},
  queries: readonly [number, number] = [0, entries.queryRows],
): LayerEntries {
  const { headSize } = entries;
  const [first, end] = queries;
  const pickNumbers = (numbers: Int32Array, head: number) => Int32Array.from(lists[head]!, (index) => numbers[index]!);
  return withAttention({
    ...entries,
    queryRows: end - first,
    length: (head) => lists[head]!.length,
    keys: (head) => content.keys?.[head]?.slice() ?? pickRows(entries.keys(head), headSize, lists[head]!),
    values: (head) => content.values?.[head]?.slice() ?? pickRows(entries.values(head), headSize, lists[head]!),
    positions: (head) => pickNumbers(entries.positions(head), head),
    places: (head) => pickNumbers(entries.places(head), head),
    queryPlaces: (head) => entries.queryPlaces(head).subarray(first, end),
    queries: (queryHead) => entries.queries(queryHead).slice(first * headSize, end * headSize),
    questionScores: (head) => pickRows(entries.questionScores(head), 1, lists[head]!),
  });
}
