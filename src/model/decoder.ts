/** The decoder's forward pass: a batch of rows through all layers, over a session's cache. */
import type { KeyValueCache } from "../cache/cache.ts";
import { Expansion } from "../cache/expansion.ts";
import type { CacheForm } from "../cache/page-form.ts";
import { PAGE_SHIFT } from "../cache/page-form.ts";
import { packedSizeOf, sizeOf, unpackRows } from "../core/axis.ts";
import type { Core } from "../core/core.ts";
import { HeadRecord, LayerRecord, SegmentRecord } from "../core/layouts.ts";
import { Tape } from "../core/tape.ts";
import type { Team } from "../core/team.ts";
import { bitsOf, bytesOf, wordsOf, writeRecord } from "../core/words.ts";
import { NumericError } from "../errors.ts";
import type { RotaryFrequencies } from "../rotary/frequencies.ts";
import { RotationRows } from "../rotary/rotation-rows.ts";
import { ShortRotationRows } from "../rotary/short-rotation-rows.ts";
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
  /** Of heads as they are held. */
  readonly rotations: RotationRows;
  readonly #core: Core;
  readonly #team: Team;
  readonly #weights: ModelWeights;
  readonly #workspace: Workspace;
  /** Both for 8-bit caches only. */
  readonly #shortRotations: ShortRotationRows;
  readonly #expansion: Expansion;
  readonly #normEpsilon: number;
  /** How queries and keys are turned. */
  readonly frequencies: RotaryFrequencies;
  /** The tape of the last shape of batch, which decoding repeats. */
  #tape = { key: "", pointer: 0, parts: undefined as WorkspaceParts | undefined };

  constructor(core: Core, team: Team, config: ModelConfig, weights: ModelWeights, frequencies: RotaryFrequencies) {
    this.config = config;
    this.#core = core;
    this.#team = team;
    this.#weights = weights;
    this.layout = layoutOf(config);
    this.#normEpsilon = config.normEpsilon * normCorrection(this.layout).epsilon;
    this.#workspace = new Workspace(core, config, this.layout);
    this.frequencies = frequencies;
    const held = heldFrequencies(frequencies, this.layout);
    this.rotations = new RotationRows(core, held);
    this.#shortRotations = new ShortRotationRows(core, held);
    this.#expansion = new Expansion(core, config.layers, config.kvHeads, packedSizeOf(this.layout.head));
  }

  /** What a layer's products of queries and keys are multiplied with before their softmax: in the forward pass and in presses. */
  attentionScale(_layer: number): number {
    return 1 / Math.sqrt(this.config.headSize);
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
      tape.rmsNorm(source, this.#weights.outputNorm.pointer, parts.normed, width, this.#normEpsilon, count);
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
    const { width, queryHeads } = this.layout;
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
        const values = new Float32Array(sizeOf(width) * sizeOf(queryHeads));
        unpackRows(held, values, queryHeads);
        return values;
      });
    } finally {
      this.#core.free(identity);
    }
  }

  /** Frees what the decoder holds besides the weights. */
  dispose(): void {
    this.#workspace.dispose();
    this.rotations.dispose();
    this.#shortRotations.dispose();
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

    const start = cache.scheme === "contiguous" ? 0 : cache.absolutePosition;
    const reach = (cache.scheme === "contiguous" ? cache.longest : 0) + longest;
    const eightBits = cache.form === "q8";
    // The keys of an 8-bit cache are turned when they are read, from wherever they stand.
    const rotations = eightBits
      ? { pointer: this.rotations.fromZero(start + reach), base: 0 }
      : this.rotations.around(start, reach);
    const table = cache.reserve(textRows, rotations.base);
    const single = isSingle(batch);
    const heads = eightBits && !single ? this.#expansion.table(table) : table;
    const shortRotations = eightBits && single ? this.#shortRotations.fromZero(start + reach) : 0;
    core.u32(parts.rotationCell, 1)[0] = rotations.pointer;
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
        rotations: rotations.pointer,
        shortRotations,
        keyFactor: bitsOf(this.frequencies.attentionFactor),
      });
    }
  }

  #tapeFor(parts: WorkspaceParts, rows: number, textRows: number, batch: Batch, form: CacheForm): number {
    const { scoring, hidden, record } = batch;
    const single = isSingle(batch);
    const key = JSON.stringify([form, rows, textRows, scoring !== undefined, hidden, single, record]);
    if (this.#tape.key === key && this.#tape.parts === parts) return this.#tape.pointer;
    const tape = new Tape();
    const { embedding, layers } = this.#weights;
    tape.embed(embedding, parts.tokens, parts.hidden, rows, packedSizeOf(this.layout.width));
    tape.barrier();
    const shape = {
      rows,
      textRows,
      scoring: scoring !== undefined,
      record,
      form,
      single,
      rotatedHalf: this.rotations.half,
      attentionFactor: this.frequencies.attentionFactor,
      normEpsilon: this.#normEpsilon,
    };
    for (const [layer, weights] of layers.entries()) {
      const complete = hidden || layer < layers.length - 1;
      writeLayer(tape, parts, layer, weights, this.layout, { ...shape, complete });
    }
    const pointer = tape.write(this.#core);
    if (this.#tape.pointer) this.#core.free(this.#tape.pointer);
    this.#tape = { key, pointer, parts };
    return pointer;
  }
}

/** The frequencies of a head as it is held: what pads it does not turn. */
function heldFrequencies(
  { inverseFrequencies, attentionFactor }: RotaryFrequencies,
  { head }: Layout,
): RotaryFrequencies {
  const held = new Float32Array(head.packedLength);
  held.set(inverseFrequencies);
  return { inverseFrequencies: held, attentionFactor };
}
