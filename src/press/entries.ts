/** The cache of a layer as presses see it, and parts of it. */
import type { KeyValueCache } from "../cache/cache.ts";
import type { Core } from "../core/core.ts";
import { ArgumentError } from "../errors.ts";
import type { Decoder } from "../model/decoder.ts";
import type { LayerEntries } from "./press.ts";
import { highest } from "./tools/choose.ts";
import { pickRows } from "./tools/vectors.ts";

/** The pass's queries that were kept, for each layer [rows, query heads · headSize], before rotation. */
interface KeptQueries {
  readonly rows: number;
  readonly layers: readonly Float32Array[];
}

/** One layer of a cache. */
export class CachedEntries implements LayerEntries {
  readonly layer: number;
  readonly #cache: KeyValueCache;
  readonly #core: Core;
  readonly #decoder: Decoder;
  readonly #queries: KeptQueries;
  readonly chunked: boolean;
  #outputWeights: Float32Array | undefined;

  constructor(
    layer: number,
    cache: KeyValueCache,
    core: Core,
    decoder: Decoder,
    queries: KeptQueries,
    chunked: boolean,
  ) {
    this.layer = layer;
    this.#cache = cache;
    this.#core = core;
    this.#decoder = decoder;
    this.#queries = queries;
    this.chunked = chunked;
  }

  get layers(): number {
    return this.#cache.layers;
  }

  get kvHeads(): number {
    return this.#cache.kvHeads;
  }

  get group(): number {
    return this.#decoder.config.queryHeads / this.kvHeads;
  }

  get headSize(): number {
    return this.#cache.headSize;
  }

  get hiddenSize(): number {
    return this.#decoder.config.hiddenSize;
  }

  get frequencies() {
    return this.#decoder.frequencies;
  }

  get queryRows(): number {
    return this.#queries.rows;
  }

  length(head: number): number {
    return this.#cache.length(this.layer, head);
  }

  keys(head: number): Float32Array {
    return this.#cache.keys(this.layer, head);
  }

  values(head: number): Float32Array {
    return this.#cache.values(this.layer, head);
  }

  positions(head: number): Int32Array {
    return this.#cache.positions(this.layer, head);
  }

  places(head: number): Int32Array {
    const positions = this.positions(head);
    return this.#cache.scheme === "original" ? positions : positions.map((_, index) => index);
  }

  queryPlaces(head: number): Int32Array {
    return this.places(head).subarray(this.length(head) - this.queryRows);
  }

  queries(queryHead: number): Float32Array {
    const { layers, rows } = this.#queries;
    if (rows === 0) throw new ArgumentError("Queries were not kept: a press must say in `needs` that it looks at them");
    const { headSize } = this;
    const width = this.#decoder.config.queryHeads * headSize;
    const result = new Float32Array(rows * headSize);
    for (let row = 0; row < rows; row++) {
      const from = row * width + queryHead * headSize;
      result.set(layers[this.layer]!.subarray(from, from + headSize), row * headSize);
    }
    return result;
  }

  outputProjection(queryHead: number): Float32Array {
    this.#outputWeights ??= this.#decoder.outputProjection(this.layer);
    const { headSize, hiddenSize } = this;
    const width = this.#outputWeights.length / hiddenSize;
    const result = new Float32Array(hiddenSize * headSize);
    for (let row = 0; row < hiddenSize; row++) {
      const from = row * width + queryHead * headSize;
      result.set(this.#outputWeights.subarray(from, from + headSize), row * headSize);
    }
    return result;
  }

  multiply(a: Float32Array, b: Float32Array, depth: number): Float32Array {
    return multiplyRows(this.#core, a, b, depth);
  }

  highest(scores: Float32Array, keep: number): Int32Array {
    return highest(this.#core, scores, keep);
  }
}

/** Products of every row of `a` with every row of `b`, rows of `depth`: [rows of a, rows of b]. */
export function multiplyRows(core: Core, a: Float32Array, b: Float32Array, depth: number): Float32Array {
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
  const pickNumbers = (numbers: Int32Array, head: number) => Int32Array.from(lists[head]!, (index) => numbers[index]!);
  return {
    layer: entries.layer,
    layers: entries.layers,
    kvHeads: entries.kvHeads,
    group: entries.group,
    headSize,
    hiddenSize: entries.hiddenSize,
    frequencies: entries.frequencies,
    chunked: entries.chunked,
    queryRows: queries[1] - queries[0],
    length: (head) => lists[head]!.length,
    keys: (head) => content.keys?.[head]?.slice() ?? pickRows(entries.keys(head), headSize, lists[head]!),
    values: (head) => content.values?.[head]?.slice() ?? pickRows(entries.values(head), headSize, lists[head]!),
    positions: (head) => pickNumbers(entries.positions(head), head),
    places: (head) => pickNumbers(entries.places(head), head),
    queryPlaces: (head) => entries.queryPlaces(head).subarray(queries[0], queries[1]),
    queries: (queryHead) => entries.queries(queryHead).slice(queries[0] * headSize, queries[1] * headSize),
    outputProjection: (queryHead) => entries.outputProjection(queryHead),
    multiply: (a, b, depth) => entries.multiply(a, b, depth),
    highest: (scores, keep) => entries.highest(scores, keep),
  };
}
