/** The decoder's forward pass: a batch of rows through all layers, over a session's cache. */
import type { KeyValueCache } from "../cache/cache.ts";
import { Expansion } from "../cache/expansion.ts";
import type { CacheForm } from "../cache/page-form.ts";
import { PAGE_SHIFT } from "../cache/page-form.ts";
import { packedSizeOf, sizeOf, unpackRows } from "../core/axis.ts";
import type { Core } from "../core/core.ts";
import { HeadRecord, LayerRecord, SegmentRecord } from "../core/layouts.ts";
import { Region } from "../core/region.ts";
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

type LogitRows = NonNullable<Batch["logits"]>;
/** Addresses in the layers' records that may differ from batch to batch: those of layer 0, and of the rotation rows. */
type Moving = Record<"heads" | "stored" | "rotations" | "shortRotations", number>;

const nothingWritten = {
  key: "",
  parts: undefined as WorkspaceParts | undefined,
  tape: 0,
  moved: { heads: 0, stored: 0, rotations: 0, shortRotations: 0 } as Moving,
};

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
  readonly #tape: Region;
  /** What stands in memory for a shape of batch, which decoding repeats: its tape, its segments and its layers' records. */
  #written = nothingWritten;

  constructor(core: Core, team: Team, config: ModelConfig, weights: ModelWeights, frequencies: RotaryFrequencies) {
    this.config = config;
    this.#core = core;
    this.#team = team;
    this.#weights = weights;
    this.layout = layoutOf(config);
    this.#normEpsilon = config.normEpsilon * normCorrection(this.layout).epsilon;
    this.#workspace = new Workspace(core, config, this.layout);
    this.#tape = new Region(core);
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
   * @returns the logits that the batch asks for, [count, vocabularySize]
   * @throws ArgumentError for a token outside the vocabulary, NumericError when hidden states or logits are not finite,
   * MemoryError; the cache is then as it was.
   */
  forward(cache: KeyValueCache, batch: Batch): Float32Array {
    const questions = batch.questions ?? [];
    const textRows = batch.text.length;
    const rows = questions.reduce((sum, question) => sum + question.length, textRows);
    const segments = (textRows ? 1 : 0) + questions.length;
    for (const list of [batch.text, ...questions]) checkTokens(list, this.config.vocabularySize);
    const parts = this.#workspace.ensure(rows, segments);
    const count = batch.logits?.count ?? 0;
    try {
      const run = (results: number) => {
        this.#prepare(parts, batch, cache.form, results);
        this.#writeBatch(parts, cache, batch);
        this.#team.run(this.#written.tape);
        // Without logits the last layer's sums stay undone, but what went wrong before shows in its input.
        if (!this.#core.kernels.allFinite(parts.hidden, rows * packedSizeOf(this.layout.width))) {
          throw new NumericError("The model computed NaN or infinity: its weights are damaged or overflow");
        }
        return this.#readLogits(results, count);
      };
      // One row has its place; the products of more come in tiles of four.
      const bytes = Math.ceil(count / 4) * 4 * this.#logitStride * 4;
      const logits = count > 1 ? this.#core.borrow({ bytes }, (borrowed) => run(borrowed.bytes)) : run(parts.logits);
      cache.commit(textRows);
      return logits;
    } catch (error) {
      cache.trim();
      throw error;
    }
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
    const tape = new Tape();
    this.#writeHead(tape, parts, { first: 0, count: 1 }, parts.logits);
    this.#runOnce(tape);
    return this.#readLogits(parts.logits, 1);
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
    const sizes = { identity: depth * depth * 4, results: Math.ceil(depth / 4) * 4 * stride * 4 };
    return this.#core.borrow(sizes, ({ identity, results }) => {
      const ones = this.#core.f32(identity, depth * depth).fill(0);
      for (let i = 0; i < depth; i++) ones[i * depth + i] = 1;
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
  }

  /** Frees what the decoder holds besides the weights. */
  dispose(): void {
    this.#workspace.dispose();
    this.rotations.dispose();
    this.#shortRotations.dispose();
    this.#expansion.dispose();
    this.#tape.free();
    this.#written = nothingWritten;
  }

  #runOnce(tape: Tape): void {
    const region = new Region(this.#core);
    try {
      this.#team.run(tape.write(this.#core, region));
    } finally {
      region.free();
    }
  }

  /** Floats from one row of logits to the next. */
  get #logitStride(): number {
    return this.#weights.output.panels * 8;
  }

  /** @returns [count, vocabularySize] @throws NumericError */
  #readLogits(results: number, count: number): Float32Array {
    const { vocabularySize } = this.config;
    const stride = this.#logitStride;
    if (!this.#core.kernels.allFinite(results, count * stride)) {
      throw new NumericError("The model computed logits that are NaN or infinite");
    }
    const logits = new Float32Array(count * vocabularySize);
    for (let row = 0; row < count; row++) {
      logits.set(this.#core.f32(results + row * stride * 4, vocabularySize), row * vocabularySize);
    }
    return logits;
  }

  /** The steps from hidden states to logits. */
  #writeHead(tape: Tape, parts: WorkspaceParts, { first, count }: LogitRows, results: number): void {
    const width = packedSizeOf(this.layout.width);
    const source = parts.hidden + first * width * 4;
    tape.rmsNorm(source, this.#weights.outputNorm.pointer, parts.normed, width, this.#normEpsilon, count);
    tape.barrier();
    writeProducts(tape, parts, parts.normed, count, [[this.#weights.output, results, false]]);
  }

  /** Writes what differs from batch to batch of one shape: tokens, and what may have moved. */
  #writeBatch(parts: WorkspaceParts, cache: KeyValueCache, batch: Batch): void {
    const core = this.#core;
    const { layers, kvHeads } = this.config;
    const { text, questions = [], scoring } = batch;
    const rows = questions.reduce((sum, question) => sum + question.length, text.length);
    const tokens = core.i32(parts.tokens, rows);
    tokens.set(text);
    let first = text.length;
    for (const question of questions) {
      tokens.set(question, first);
      first += question.length;
    }
    const longest = questions.reduce((most, question) => Math.max(most, text.length + question.length), text.length);
    const start = cache.scheme === "contiguous" ? 0 : cache.absolutePosition;
    const reach = (cache.scheme === "contiguous" ? cache.longest : 0) + longest;
    const eightBits = cache.form === "q8";
    // The keys of an 8-bit cache are turned when they are read, from wherever they stand.
    const rotations = eightBits
      ? { pointer: this.rotations.fromZero(start + reach), base: 0 }
      : this.rotations.around(start, reach);
    const stored = cache.reserve(text.length, rotations.base);
    const single = isSingle(batch);
    this.#pointRecords(parts, {
      heads: eightBits && !single ? this.#expansion.table(stored) : stored,
      stored,
      rotations: rotations.pointer,
      shortRotations: eightBits && single ? this.#shortRotations.fromZero(start + reach) : 0,
    });
    if (scoring?.factors) core.f32(parts.factors + text.length * 4, rows - text.length).set(scoring.factors);
    if (!scoring) return;
    const targets = core.u32(parts.scores, layers * kvHeads);
    for (let index = 0; index < targets.length; index++) {
      targets[index] = scoring.target(Math.floor(index / kvHeads), index % kvHeads);
    }
  }

  /** Writes into the layers' records what may have moved since the last batch, if it has. */
  #pointRecords(parts: WorkspaceParts, moving: Moving): void {
    const { moved } = this.#written;
    const { heads, stored, rotations, shortRotations } = moving;
    const same = heads === moved.heads && stored === moved.stored;
    if (same && rotations === moved.rotations && shortRotations === moved.shortRotations) return;
    const { layers, kvHeads } = this.config;
    const records = this.#core.u32(parts.layers, layers * LayerRecord.words);
    for (let layer = 0; layer < layers; layer++) {
      const record = layer * LayerRecord.words;
      const first = layer * kvHeads * bytesOf(HeadRecord);
      records[record + LayerRecord.heads] = heads + first;
      records[record + LayerRecord.stored] = stored + first;
      records[record + LayerRecord.rotations] = rotations;
      records[record + LayerRecord.shortRotations] = shortRotations;
    }
    this.#core.u32(parts.rotationCell, 1)[0] = rotations;
    this.#written = { ...this.#written, moved: moving };
  }

  /** Writes what all batches of one shape share, unless the last one was of this shape: tape, segments, rows' places, layers' records. */
  #prepare(parts: WorkspaceParts, batch: Batch, form: CacheForm, results: number): void {
    const { text, questions = [], scoring, logits, record } = batch;
    const lengths = questions.map((question) => question.length);
    const shape = [form, text.length, lengths, scoring && (scoring.factors ? 2 : 1), logits, results, record];
    const key = JSON.stringify(shape);
    if (this.#written.key === key && this.#written.parts === parts) return;
    this.#written = nothingWritten;
    this.#tape.free();
    const segments: number[] = [];
    const offsets: number[] = [];
    const segment = (rows: number, behind: number, inPages: number) => {
      segments.push(...wordsOf(SegmentRecord, { firstRow: offsets.length, rows, inPages, unused: 0 }));
      for (let row = 0; row < rows; row++) offsets.push(behind + row);
    };
    if (text.length) segment(text.length, 0, 1);
    for (const length of lengths) segment(length, text.length, 0);
    this.#core.u32(parts.segments, segments.length).set(segments);
    this.#core.i32(parts.rowOffsets, offsets.length).set(offsets);
    this.#writeRecords(parts, batch, segments.length / SegmentRecord.words);
    const tape = this.#writeTape(parts, offsets.length, batch, form, results).write(this.#core, this.#tape);
    this.#written = { key, parts, tape, moved: nothingWritten.moved };
  }

  /** Writes the layers' records, but for what `#pointRecords` writes. */
  #writeRecords(parts: WorkspaceParts, { scoring }: Batch, segmentCount: number): void {
    const { layers, kvHeads, queryHeads } = this.config;
    for (let layer = 0; layer < layers; layer++) {
      writeRecord(this.#core, parts.layers + layer * bytesOf(LayerRecord), LayerRecord, {
        queries: parts.queries,
        keys: parts.keys,
        values: parts.values,
        outputs: parts.attended,
        ...nothingWritten.moved,
        segments: parts.segments,
        segmentCount,
        kvHeads,
        group: queryHeads / kvHeads,
        headSize: packedSizeOf(this.layout.head),
        pageShift: PAGE_SHIFT,
        scale: bitsOf(this.attentionScale(layer)),
        statistics: scoring ? parts.statistics : 0,
        scores: parts.scores + layer * kvHeads * 4,
        factors: scoring?.factors ? parts.factors : 0,
        keyFactor: bitsOf(this.frequencies.attentionFactor),
      });
    }
  }

  /** All steps of a batch: its embedding, the layers, and the logits that are wanted. */
  #writeTape(parts: WorkspaceParts, rows: number, batch: Batch, form: CacheForm, results: number): Tape {
    const { text, scoring, logits, record } = batch;
    const tape = new Tape();
    const { embedding, layers } = this.#weights;
    tape.embed(embedding, parts.tokens, parts.hidden, rows, packedSizeOf(this.layout.width));
    tape.barrier();
    const shape = {
      rows,
      textRows: text.length,
      scoring: scoring !== undefined,
      record,
      form,
      single: isSingle(batch),
      rotatedHalf: this.rotations.half,
      attentionFactor: this.frequencies.attentionFactor,
      normEpsilon: this.#normEpsilon,
    };
    for (const [layer, weights] of layers.entries()) {
      const complete = logits !== undefined || layer < layers.length - 1;
      writeLayer(tape, parts, layer, weights, this.layout, { ...shape, complete });
    }
    if (logits) this.#writeHead(tape, parts, logits, results);
    return tape;
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
