/** The decoder's forward pass: a batch of rows through all layers, over a session's cache. */
import type { CacheLayers, KeyValueCache } from "../cache/cache.ts";
import { Expansion } from "../cache/expansion.ts";
import type { CacheForm, HeadAxes } from "../cache/page-form.ts";
import { PAGE_SHIFT } from "../cache/page-form.ts";
import { packedSizeOf, sizeOf, unpackRows } from "../core/axis.ts";
import type { Core } from "../core/core.ts";
import { HeadRecord, LayerRecord, SegmentRecord } from "../core/layouts.ts";
import { Region } from "../core/region.ts";
import { Tape } from "../core/tape.ts";
import type { Team } from "../core/team.ts";
import { bitsOf, bytesOf, wordsOf, writeRecord } from "../core/words.ts";
import { NumericError } from "../errors.ts";
import { isByLength, type RotaryConfig, type RotaryFactors } from "../rotary/frequencies.ts";
import { Rotary, type Turning } from "../rotary/rotary.ts";
import type { Steps } from "../steps.ts";
import { type LayerDescription, layerOf } from "./architecture.ts";
import { type Batch, checkTokens, isSingle, rowsOf } from "./batch.ts";
import type { ModelConfig } from "./config.ts";
import { writeLayer, writeProducts } from "./layer-steps.ts";
import { type Layout, layoutOf, normCorrection } from "./layout.ts";
import type { ModelWeights } from "./weights.ts";
import { Workspace, type WorkspaceParts } from "./workspace.ts";

type LogitRows = NonNullable<Batch["logits"]>;
/** Addresses in the layers' records that may differ from batch to batch: those of layer 0, and each kind's rotation rows. */
interface Moving {
  readonly heads: number;
  readonly stored: number;
  readonly rotations: readonly number[];
  readonly shortRotations: readonly number[];
}

const nothingWritten = {
  key: "",
  parts: undefined as WorkspaceParts | undefined,
  /** One, or its parts. */
  tapes: [] as readonly number[],
  moved: { heads: 0, stored: 0, rotations: [], shortRotations: [] } as Moving,
};

/** After so much work other work has its turn. */
const STEP_MILLISECONDS = 16;

/** A batch that is run part by part. */
interface PausedPass {
  readonly tapes: readonly number[];
  /** The part that comes next. */
  next: number;
  ended: boolean;
  /** What went wrong, for who began it. */
  error?: unknown;
  /** Makes its text part of the cache. */
  readonly finish: () => void;
}

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
  /** Whether some layers see everything. */
  readonly #seesAll: boolean;
  readonly #tape: Region;
  /** What stands in memory for a shape of batch, which decoding repeats: its tape, its segments and its layers' records. */
  #written = nothingWritten;
  #paused: PausedPass | undefined;

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
    this.#seesAll = config.layerPattern.some(({ window }) => window === undefined);
    this.#workspace = new Workspace(core, config, this.layout);
    this.#tape = new Region(core);
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
      byLength: this.config.layerPattern.some(({ rotary }) => rotary && isByLength(rotary)),
      window: (layer) => layerOf(this.config, layer).window,
    };
  }

  /**
   * Runs a batch and makes its text part of the cache.
   * @returns the logits that the batch asks for, [count, vocabularySize]
   * @throws ArgumentError for a token outside the vocabulary, NumericError when hidden states or logits are not finite,
   * MemoryError; the cache is then as it was.
   */
  forward(cache: KeyValueCache, batch: Batch): Float32Array {
    const parts = this.#begin(batch);
    const count = batch.logits?.count ?? 0;
    try {
      const run = (results: number) => {
        this.#prepare(parts, batch, cache.form, results);
        this.#writeBatch(parts, cache, batch);
        this.#team.run(this.#written.tapes[0]!);
        this.#checkFinite(parts, rowsOf(batch));
        return this.#readLogits(results, count);
      };
      // One row has its place; the products of more come in tiles of four.
      const bytes = Math.ceil(count / 4) * 4 * this.#logitStride * 4;
      const logits = count > 1 ? this.#core.borrow({ bytes }, (borrowed) => run(borrowed.bytes)) : run(parts.logits);
      cache.commit(batch.text.length);
      return logits;
    } catch (error) {
      cache.trim();
      throw error;
    }
  }

  /**
   * Runs a batch in steps of some milliseconds, between which other batches may be run: the first of them runs what is left of this one
   * before itself. Given up midway, or when it throws, the cache is as it was.
   * @throws as `forward`
   */
  *forwardInSteps(cache: KeyValueCache, batch: Omit<Batch, "logits">): Steps<void> {
    const parts = this.#begin(batch);
    let pass: PausedPass | undefined;
    try {
      this.#prepare(parts, batch, cache.form, parts.logits, true);
      this.#writeBatch(parts, cache, batch);
      const finish = () => {
        this.#checkFinite(parts, rowsOf(batch));
        cache.commit(batch.text.length);
      };
      pass = { tapes: this.#written.tapes, next: 0, ended: false, finish };
      this.#paused = pass;
      while (!this.#advance(pass)) yield;
      if (pass.error) throw pass.error;
    } finally {
      if (this.#paused === pass) this.#paused = undefined;
      if (!pass?.ended || pass.error) cache.trim();
    }
  }

  /** Takes the work space that a batch needs. @throws ArgumentError, MemoryError */
  #begin(batch: Batch): WorkspaceParts {
    this.settle();
    const { text, questions = [] } = batch;
    for (const list of [text, ...questions]) checkTokens(list, this.config.vocabularySize);
    return this.#workspace.ensure(rowsOf(batch), (text.length ? 1 : 0) + questions.length);
  }

  /** Runs what is left of a batch that is paused: before anything is done that could move what it works on. */
  settle(): void {
    const pass = this.#paused;
    while (pass && !this.#advance(pass));
  }

  /** Runs some parts of a pass. @returns whether it has ended; what went wrong is kept for who began it */
  #advance(pass: PausedPass): boolean {
    if (pass.ended) return true;
    const end = performance.now() + STEP_MILLISECONDS;
    try {
      do this.#team.run(pass.tapes[pass.next++]!);
      while (pass.next < pass.tapes.length && performance.now() < end);
      if (pass.next < pass.tapes.length) return false;
      pass.finish();
    } catch (error) {
      pass.error = error;
    }
    pass.ended = true;
    this.#paused = undefined;
    return true;
  }

  /** Without logits the last layer's sums stay undone, but what went wrong before shows in its input. */
  #checkFinite(parts: WorkspaceParts, rows: number): void {
    if (!this.#core.kernels.allFinite(parts.hidden, rows * packedSizeOf(this.layout.width))) {
      throw new NumericError("The model computed NaN or infinity: its weights are damaged or overflow");
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
    this.settle();
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
    this.settle();
    const { width, attendedHeads } = this.layout;
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
      const values = new Float32Array(sizeOf(width) * sizeOf(attendedHeads));
      unpackRows(held, values, attendedHeads);
      return values;
    });
  }

  /** Frees what the decoder holds besides the weights. */
  dispose(): void {
    this.#workspace.dispose();
    for (const rotary of this.#rotaries) rotary.dispose();
    this.#expansion.dispose();
    this.#tape.free();
    this.#written = nothingWritten;
    this.#paused = undefined;
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
    const { logitCap } = this.config;
    if (logitCap) for (let i = 0; i < logits.length; i++) logits[i] = logitCap * Math.tanh(logits[i]! / logitCap);
    return logits;
  }

  /** The steps from hidden states to logits. */
  #writeHead(tape: Tape, parts: WorkspaceParts, { first, count }: LogitRows, results: number): void {
    const width = packedSizeOf(this.layout.width);
    const source = parts.hidden + first * width * 4;
    tape.rmsNorm(source, this.#weights.outputNorm.pointer, parts.normed, width, this.#normEpsilon, count, false);
    tape.barrier();
    writeProducts(tape, parts, parts.normed, count, [[this.#weights.output, results, false]]);
  }

  /** Writes what differs from batch to batch of one shape: tokens, and what may have moved. */
  #writeBatch(parts: WorkspaceParts, cache: KeyValueCache, batch: Batch): void {
    const core = this.#core;
    const { layers, kvHeads } = this.config;
    const { text, questions = [], scoring } = batch;
    const rows = rowsOf(batch);
    const tokens = core.i32(parts.tokens, rows);
    tokens.set(text);
    let first = text.length;
    for (const question of questions) {
      tokens.set(question, first);
      first += question.length;
    }
    const longest = questions.reduce((most, question) => Math.max(most, text.length + question.length), text.length);
    cache.expect(text.length);
    const stored = cache.reserve(text.length);
    const eightBits = cache.form === "q8";
    const single = isSingle(batch);
    this.#pointRecords(parts, {
      heads: eightBits && !single ? this.#expansion.table(stored) : stored,
      stored,
      ...this.#rotationRows(cache, longest, single),
    });
    this.#writeFirstSeen(parts, cache, rows);
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
    const same = (now: readonly number[], before: readonly number[]) =>
      now.every((each, kind) => each === before[kind]);
    if (
      heads === moved.heads &&
      stored === moved.stored &&
      same(rotations, moved.rotations) &&
      same(shortRotations, moved.shortRotations)
    ) {
      return;
    }
    const { layers, kvHeads } = this.config;
    const records = this.#core.u32(parts.layers, layers * LayerRecord.words);
    for (let layer = 0; layer < layers; layer++) {
      const record = layer * LayerRecord.words;
      const first = layer * kvHeads * bytesOf(HeadRecord);
      records[record + LayerRecord.heads] = heads + first;
      records[record + LayerRecord.stored] = stored + first;
      records[record + LayerRecord.rotations] = rotations[this.#rotaryOf(layer)]!;
      records[record + LayerRecord.shortRotations] = shortRotations[this.#rotaryOf(layer)]!;
    }
    this.#core.u32(parts.rotationCells, rotations.length).set(rotations);
    this.#written = { ...this.#written, moved: moving };
  }

  /** Writes what all batches of one shape share, unless the last one was of this shape: tape, segments, rows' places, layers' records. */
  #prepare(parts: WorkspaceParts, batch: Batch, form: CacheForm, results: number, inParts = false): void {
    const { text, questions = [], scoring, logits, record } = batch;
    const lengths = questions.map((question) => question.length);
    const shape = [form, text.length, lengths, scoring && (scoring.factors ? 2 : 1), logits, results, record, inParts];
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
    const tape = this.#writeTape(parts, offsets.length, batch, form, results);
    const tapes = inParts ? tape.writeParts(this.#core, this.#tape) : [tape.write(this.#core, this.#tape)];
    this.#written = { key, parts, tapes, moved: nothingWritten.moved };
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
        heads: 0,
        stored: 0,
        rotations: 0,
        shortRotations: 0,
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
        keyFactor: bitsOf(this.turning(layer, 0).frequencies.attentionFactor),
        scoreCap: bitsOf(layerOf(this.config, layer).scoreCap ?? 0),
        firstSeen: layerOf(this.config, layer).window === undefined ? 0 : this.#firstSeen(parts, layer, 0),
        firstSeenStride: this.#workspace.capacity * 4,
      });
    }
  }

  /** For each kind of layer the addresses of what turns its rows and its 8-bit keys. */
  #rotationRows(cache: KeyValueCache, longest: number, single: boolean): Pick<Moving, "rotations" | "shortRotations"> {
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
    const turnings = this.#rotaries.map((rotary) => rotary.at(cache.textLength));
    return {
      rotations: turnings.map(({ turns, firstRows }, kind) => {
        const [first, end] = spans[kind]!;
        return turns || eightBits ? firstRows.origin(first, end - first) : 0;
      }),
      shortRotations: turnings.map(({ shortRows }, kind) => {
        const [first, end] = spans[kind]!;
        return eightBits && single ? shortRows.origin(first, end - first) : 0;
      }),
    };
  }

  #firstSeen({ firstSeen }: WorkspaceParts, layer: number, head: number): number {
    return firstSeen + (layer * this.config.kvHeads + head) * this.#workspace.capacity * 4;
  }

  /** Writes for every row the first entry that each head of a layer with a window sees. */
  #writeFirstSeen(parts: WorkspaceParts, cache: KeyValueCache, rows: number): void {
    const { layers, kvHeads } = this.config;
    const offsets = this.#core.i32(parts.rowOffsets, rows);
    for (let layer = 0; layer < layers; layer++) {
      if (layerOf(this.config, layer).window === undefined) continue;
      for (let head = 0; head < kvHeads; head++) {
        const next = cache.nextPosition(layer, head);
        const firsts = this.#core.i32(this.#firstSeen(parts, layer, head), rows);
        for (let row = 0; row < rows; row++) firsts[row] = cache.firstSeen(layer, head, next + offsets[row]!);
      }
    }
  }

  /** All steps of a batch: its embedding, the layers, and the logits that are wanted. */
  #writeTape(parts: WorkspaceParts, rows: number, batch: Batch, form: CacheForm, results: number): Tape {
    const { text, scoring, logits, record } = batch;
    const tape = new Tape();
    const { embedding, layers } = this.#weights;
    const width = packedSizeOf(this.layout.width);
    tape.embed(embedding, parts.tokens, parts.hidden, rows, width, this.#embeddingScale);
    tape.barrier();
    const shape = {
      rows,
      textRows: text.length,
      scoring: scoring !== undefined,
      record,
      form,
      single: isSingle(batch),
      normEpsilon: this.#normEpsilon,
    };
    for (const [layer, weights] of layers.entries()) {
      const complete = logits !== undefined || layer < layers.length - 1;
      const description = layerOf(this.config, layer);
      writeLayer(tape, parts, layer, weights, this.layout, {
        ...shape,
        // Where presses choose for other layers alone, those with a window are not scored.
        scoring: shape.scoring && !(description.window !== undefined && this.#seesAll),
        complete,
        description,
        headNormEpsilon: this.#headNormEpsilon[description.queryKeyNorms],
        rotation: description.rotary && {
          cell: parts.rotationCells + this.#rotaryOf(layer) * 4,
          half: this.layout.head.packedLength,
          factor: this.turning(layer, 0).frequencies.attentionFactor,
        },
      });
    }
    if (logits) this.#writeHead(tape, parts, logits, results);
    return tape;
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
