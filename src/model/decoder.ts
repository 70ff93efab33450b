/** The decoder's forward pass: a batch of rows through all layers, over a session's cache. */
import type { CacheLayers, KeyValueCache } from "../cache/cache.ts";
import { Expansion } from "../cache/expansion.ts";
import type { CacheForm, HeadAxes } from "../cache/page-form.ts";
import { PAGE_SHIFT } from "../cache/page-form.ts";
import { packedSizeOf, sizeOf, unpackRows } from "../core/axis.ts";
import type { Core } from "../core/core.ts";
import { HeadRecord, LayerRecord, SegmentRecord } from "../core/layouts.ts";
import { Tape } from "../core/tape.ts";
import type { Team } from "../core/team.ts";
import { bitsOf, bytesOf, wordsOf, writeRecord } from "../core/words.ts";
import { NumericError } from "../errors.ts";
import type { RotaryConfig, RotaryFactors } from "../rotary/frequencies.ts";
import { Rotary, type Turning } from "../rotary/rotary.ts";
import { type LayerDescription, layerOf } from "./architecture.ts";
import { type Batch, checkTokens, isSingle } from "./batch.ts";
import type { ModelConfig } from "./config.ts";
import { writeLayer, writeProducts } from "./layer-steps.ts";
import { type Layout, layoutOf, normCorrection } from "./layout.ts";
import type { ModelWeights } from "./weights.ts";
import { Workspace, type WorkspaceParts } from "./workspace.ts";

/** Runs batches on one model's weights; its intermediate results are shared by all sessions of the model. */
export class Decoder {
  readonly config: ModelConfig;
  /** How heads and widths are held. */
  readonly layout: Layout;
  /** How queries and keys of each kind of layer turn, in the order in which the kinds come. */
  readonly #rotaries: readonly Rotary[];
  /** Which of them a layer has. */
  readonly #rotaryOf: (layer: number) => number;
  readonly #core: Core;
  readonly #team: Team;
  readonly #weights: ModelWeights;
  readonly #workspace: Workspace;
  /** For 8-bit caches only. */
  readonly #expansion: Expansion;
  readonly #normEpsilon: number;
  readonly #headNormEpsilon: Readonly<Record<LayerDescription["queryKeyNorms"], number>>;
  readonly #embeddingScale: number;
  /** The tape of the last shape of batch, which decoding repeats. */
  #tape = { key: "", pointer: 0, parts: undefined as WorkspaceParts | undefined };

  /** @param factors divisors of frequencies that came as tensors */
  constructor(core: Core, team: Team, config: ModelConfig, weights: ModelWeights, factors: RotaryFactors) {
    this.config = config;
    this.#core = core;
    this.#team = team;
    this.#weights = weights;
    this.layout = layoutOf(config);
    // A model whose layers add r of what they give is the same as one of 1 / r of its hidden states and all of it.
    const scale = config.residualScale;
    this.#normEpsilon = (config.normEpsilon / scale ** 2) * normCorrection(this.layout.width).epsilon;
    this.#headNormEpsilon = {
      none: 0,
      head: config.normEpsilon * normCorrection(this.layout.head).epsilon,
      row: config.normEpsilon * normCorrection(this.layout.queryHeads).epsilon,
    };
    this.#embeddingScale = config.embeddingScale / scale;
    this.#workspace = new Workspace(core, config, this.layout);
    const kinds = rotaryKinds(config);
    const head = { size: config.headSize, turning: config.rotaryDimensions, pairs: this.layout.head.packedLength };
    this.#rotaries = kinds.rotaries.map((rotary) => new Rotary(core, rotary, head, factors));
    this.#rotaryOf = kinds.of;
    this.#expansion = new Expansion(core, config.layers, config.kvHeads, packedSizeOf(this.layout.head));
  }

  /** What a layer's products of queries and keys are multiplied with before their softmax: in the forward pass and in presses. */
  attentionScale(layer: number): number {
    return layerOf(this.config, layer).attentionScale;
  }

  /** c, where c · tanh(x / c) takes the place of such a product x. */
  scoreCap(layer: number): number | undefined {
    return layerOf(this.config, layer).scoreCap;
  }

  /** How a layer's queries and keys turn in a text of so many tokens. */
  turning(layer: number, length: number): Turning {
    return this.#rotaries[this.#rotaryOf(layer)]!.at(length);
  }

  /** How keys and values of a head are held. */
  get headAxes(): HeadAxes {
    return { keys: this.layout.head, values: this.layout.valueHead };
  }

  /** What a cache must know of the layers. */
  get cacheLayers(): CacheLayers {
    const { layers, kvHeads } = this.config;
    return {
      layers,
      kvHeads,
      turning: (layer, length) => this.turning(layer, length),
      window: (layer) => layerOf(this.config, layer).window,
    };
  }

  /**
   * Runs a batch and makes its text part of the cache.
   * @throws ArgumentError for a token outside the vocabulary, NumericError when hidden states are not finite,
   * MemoryError; the cache is then as it was.
   */
  forward(cache: KeyValueCache, batch: Batch): void {
    const questions = batch.questions ?? [];
    const textRows = batch.text.length;
    const rows = questions.reduce((sum, question) => sum + question.length, textRows);
    const segments = (textRows ? 1 : 0) + questions.length;
    for (const list of [batch.text, ...questions]) checkTokens(list, this.config.vocabularySize);
    const parts = this.#workspace.ensure(rows, segments);
    try {
      this.#writeBatch(parts, cache, batch, questions);
      const tape = this.#tapeFor(parts, rows, textRows, batch, cache.form);
      this.#team.run(tape);
      // Without logits the last layer's sums stay undone, but what went wrong before shows in its input.
      if (!this.#core.kernels.allFinite(parts.hidden, rows * packedSizeOf(this.layout.width))) {
        throw new NumericError("The model computed NaN or infinity: its weights are damaged or overflow");
      }
    } catch (error) {
      cache.trim();
      throw error;
    }
    cache.commit(textRows);
  }

  /**
   * Logits of rows of the last batch, which must have been run with `hidden`.
   * @returns [count, vocabularySize]
   */
  logits(firstRow: number, count: number): Float32Array {
    const { vocabularySize } = this.config;
    const width = packedSizeOf(this.layout.width);
    const parts = this.#workspace.ensure(count, 1);
    const stride = this.#weights.output.panels * 8;
    return this.#core.borrow(Math.ceil(count / 4) * 4 * stride * 4, (results) => {
      const tape = new Tape();
      const source = parts.hidden + firstRow * width * 4;
      tape.rmsNorm(source, this.#weights.outputNorm.pointer, parts.normed, width, this.#normEpsilon, count, false);
      tape.barrier();
      writeProducts(tape, parts, parts.normed, count, [[this.#weights.output, results, false]]);
      this.#runOnce(tape);
      if (!this.#core.kernels.allFinite(results, count * stride)) {
        throw new NumericError("The model computed logits that are NaN or infinite");
      }
      const logits = new Float32Array(count * vocabularySize);
      for (let row = 0; row < count; row++) {
        logits.set(this.#core.f32(results + row * stride * 4, vocabularySize), row * vocabularySize);
      }
      const { logitCap } = this.config;
      if (logitCap) for (let i = 0; i < logits.length; i++) logits[i] = logitCap * Math.tanh(logits[i]! / logitCap);
      return logits;
    });
  }

  /**
   * The last layer's output of a row of the last batch, which must have been run with `hidden`: a copy, as wide as rows
   * are held.
   */
  hiddenState(row: number): Float32Array {
    const width = packedSizeOf(this.layout.width);
    const parts = this.#workspace.ensure(row + 1, 1);
    return this.#core.f32(parts.hidden + row * width * 4, width).slice();
  }

  /** Logits of what `hiddenState` gave, the same bits as at that time: [vocabularySize]. @throws MemoryError */
  logitsOf(hiddenState: Float32Array): Float32Array {
    const parts = this.#workspace.ensure(1, 1);
    this.#core.f32(parts.hidden, hiddenState.length).set(hiddenState);
    return this.logits(0, 1);
  }

  /**
   * A layer's output projection as plain numbers: [hiddenSize, queryHeads · headSize], as files have it.
   * @throws MemoryError
   */
  outputProjection(layer: number): Float32Array {
    const { width, attendedHeads } = this.layout;
    const matrix = this.#weights.layers[layer]!.output;
    const { depth, panels } = matrix;
    // Times the identity: that works for every form in which weights are packed.
    const parts = this.#workspace.ensure(depth, 1);
    const stride = panels * 8;
    const identity = this.#core.allocate(depth * depth * 4);
    try {
      const ones = this.#core.f32(identity, depth * depth).fill(0);
      for (let i = 0; i < depth; i++) ones[i * depth + i] = 1;
      return this.#core.borrow(Math.ceil(depth / 4) * 4 * stride * 4, (results) => {
        const tape = new Tape();
        writeProducts(tape, parts, identity, depth, [[matrix, results, false]]);
        this.#runOnce(tape);
        const held = new Float32Array(sizeOf(width) * depth);
        for (let column = 0; column < depth; column++) {
          const source = this.#core.f32(results + column * stride * 4, sizeOf(width));
          for (let row = 0; row < source.length; row++) held[row * depth + column] = source[row]!;
        }
        const values = new Float32Array(sizeOf(width) * sizeOf(attendedHeads));
        unpackRows(held, values, attendedHeads);
        return values;
      });
    } finally {
      this.#core.free(identity);
    }
  }

  /** Frees what the decoder holds besides the weights. */
  dispose(): void {
    this.#workspace.dispose();
    for (const rotary of this.#rotaries) rotary.dispose();
    this.#expansion.dispose();
    if (this.#tape.pointer) this.#core.free(this.#tape.pointer);
    this.#tape = { key: "", pointer: 0, parts: undefined };
  }

  #runOnce(tape: Tape): void {
    const pointer = tape.write(this.#core);
    try {
      this.#team.run(pointer);
    } finally {
      this.#core.free(pointer);
    }
  }

  /** Writes tokens, segments, the layers' records and the rows' places. */
  #writeBatch(parts: WorkspaceParts, cache: KeyValueCache, batch: Batch, questions: readonly Int32Array[]): void {
    const core = this.#core;
    const { layers, kvHeads, queryHeads } = this.config;
    const textRows = batch.text.length;
    const segments: number[] = [];
    const segment = (firstRow: number, rows: number, inPages: number) =>
      segments.push(...wordsOf(SegmentRecord, { firstRow, rows, inPages, unused: 0 }));
    if (textRows) segment(0, textRows, 1);
    let row = textRows;
    let longest = textRows;
    for (const question of questions) {
      segment(row, question.length, 0);
      row += question.length;
      longest = Math.max(longest, textRows + question.length);
    }
    const tokens = core.i32(parts.tokens, row);
    const offsets = core.i32(parts.rowOffsets, row);
    tokens.set(batch.text);
    for (let index = 0; index < textRows; index++) offsets[index] = index;
    let first = textRows;
    for (const question of questions) {
      tokens.set(question, first);
      for (let index = 0; index < question.length; index++) offsets[first + index] = textRows + index;
      first += question.length;
    }
    core.u32(parts.segments, segments.length).set(segments);

    cache.expect(textRows);
    const eightBits = cache.form === "q8";
    const table = cache.reserve(textRows);
    const single = isSingle(batch);
    const heads = eightBits && !single ? this.#expansion.table(table) : table;
    const rotations = this.#rotationRows(parts, cache, longest, single);
    this.#writeFirstSeen(parts, cache, offsets, row);
    if (batch.scoring?.factors) core.f32(parts.factors + textRows * 4, row - textRows).set(batch.scoring.factors);
    for (let layer = 0; layer < layers; layer++) {
      const scores = parts.scores + layer * kvHeads * 4;
      if (batch.scoring) {
        const { target } = batch.scoring;
        core.u32(scores, kvHeads).set(Array.from({ length: kvHeads }, (_, head) => target(layer, head)));
      }
      writeRecord(core, parts.layers + layer * bytesOf(LayerRecord), LayerRecord, {
        queries: parts.queries,
        keys: parts.keys,
        values: parts.values,
        outputs: parts.attended,
        heads: heads + layer * kvHeads * bytesOf(HeadRecord),
        segments: parts.segments,
        segmentCount: segments.length / SegmentRecord.words,
        kvHeads,
        group: queryHeads / kvHeads,
        headSize: packedSizeOf(this.layout.head),
        pageShift: PAGE_SHIFT,
        scale: bitsOf(this.attentionScale(layer)),
        statistics: batch.scoring ? parts.statistics : 0,
        scores,
        factors: batch.scoring?.factors ? parts.factors : 0,
        stored: table + layer * kvHeads * bytesOf(HeadRecord),
        ...rotations[this.#rotaryOf(layer)]!,
        scoreCap: bitsOf(this.scoreCap(layer) ?? 0),
        firstSeen: parts.firstSeen[layer]!,
        firstSeenStride: parts.firstSeenBytes,
      });
    }
  }

  /** For each kind of layer what turns its rows and its 8-bit keys; their cells then hold the addresses. */
  #rotationRows(parts: WorkspaceParts, cache: KeyValueCache, longest: number, single: boolean) {
    const { layers, kvHeads } = this.config;
    /** Places at which rows or keys of a kind stand, the first and one behind the last. */
    const spans = this.#rotaries.map((): [number, number] => [Number.POSITIVE_INFINITY, 0]);
    const eightBits = cache.form === "q8";
    for (let layer = 0; layer < layers; layer++) {
      const span = spans[this.#rotaryOf(layer)]!;
      for (let head = 0; head < kvHeads; head++) {
        const next = cache.nextPosition(layer, head);
        // The keys of an 8-bit cache are turned when they are read, from wherever they stand.
        span[0] = Math.min(span[0], eightBits ? cache.firstPlace(layer, head) : next);
        span[1] = Math.max(span[1], next + longest);
      }
    }
    return this.#rotaries.map((rotary, kind) => {
      const { turns, firstRows, shortRows, frequencies } = rotary.at(cache.textLength);
      const [first, end] = spans[kind]!;
      const read = turns || eightBits;
      const rotations = read ? firstRows.origin(first, end - first) : 0;
      this.#core.u32(parts.rotationCells, spans.length)[kind] = rotations;
      return {
        rotations,
        shortRotations: eightBits && single ? shortRows.origin(first, end - first) : 0,
        keyFactor: bitsOf(frequencies.attentionFactor),
      };
    });
  }

  /** Writes for every row the first entry that each head of a layer with a window sees. */
  #writeFirstSeen(parts: WorkspaceParts, cache: KeyValueCache, offsets: Int32Array, rows: number): void {
    const { layers, kvHeads } = this.config;
    for (let layer = 0; layer < layers; layer++) {
      if (!parts.firstSeen[layer]) continue;
      for (let head = 0; head < kvHeads; head++) {
        const next = cache.nextPosition(layer, head);
        const firsts = this.#core.i32(parts.firstSeen[layer]! + head * parts.firstSeenBytes, rows);
        for (let row = 0; row < rows; row++) firsts[row] = cache.firstSeen(layer, head, next + offsets[row]!);
      }
    }
  }

  #tapeFor(parts: WorkspaceParts, rows: number, textRows: number, batch: Batch, form: CacheForm): number {
    const { scoring, hidden, record } = batch;
    const single = isSingle(batch);
    const key = JSON.stringify([form, rows, textRows, scoring !== undefined, hidden, single, record]);
    if (this.#tape.key === key && this.#tape.parts === parts) return this.#tape.pointer;
    const tape = new Tape();
    const { embedding, layers } = this.#weights;
    const width = packedSizeOf(this.layout.width);
    tape.embed(embedding, parts.tokens, parts.hidden, rows, width, this.#embeddingScale);
    tape.barrier();
    const shape = {
      rows,
      textRows,
      scoring: scoring !== undefined,
      record,
      form,
      single,
      normEpsilon: this.#normEpsilon,
    };
    for (const [layer, weights] of layers.entries()) {
      const complete = hidden || layer < layers.length - 1;
      const description = layerOf(this.config, layer);
      const kind = this.#rotaryOf(layer);
      writeLayer(tape, parts, layer, weights, this.layout, {
        ...shape,
        complete,
        description,
        headNormEpsilon: this.#headNormEpsilon[description.queryKeyNorms],
        rotation: description.rotary && {
          cell: parts.rotationCells + kind * 4,
          half: this.layout.head.packedLength,
          factor: this.#rotaries[kind]!.at(0).frequencies.attentionFactor,
        },
      });
    }
    const pointer = tape.write(this.#core);
    if (this.#tape.pointer) this.#core.free(this.#tape.pointer);
    this.#tape = { key, pointer, parts };
    return pointer;
  }
}

/**
 * The rotations of a model's layers, each once. Layers with a window have their own, as their places may lie far from
 * those of the others.
 */
function rotaryKinds(config: ModelConfig) {
  const kinds = new Map<string, number>();
  const rotaries: (RotaryConfig | undefined)[] = [];
  const indices = config.layerPattern.map(({ rotary, window }) => {
    const key = JSON.stringify([rotary, window !== undefined]);
    const index = kinds.get(key) ?? rotaries.push(rotary) - 1;
    kinds.set(key, index);
    return index;
  });
  return { rotaries, of: (layer: number) => indices[layer % indices.length]! };
}
