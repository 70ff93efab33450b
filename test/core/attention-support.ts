/** A layer for the core's attention with keys and values of every head in pages, and what it should compute, in f64. */
import type { Core } from "../../src/core/core.ts";
import { LayerRecord } from "../../src/core/layouts.ts";
import { Tape } from "../../src/core/tape.ts";
import { bitsOf, bytesOf, writeRecord } from "../../src/core/words.ts";
import { place } from "../support/core.ts";
import type { normals } from "../support/random.ts";

/** What the batch looks like. */
export interface Shape {
  readonly group: number;
  readonly headSize: number;
  readonly pageShift: number;
  /** Entries of each KV head before the batch. */
  readonly before: readonly number[];
  readonly textRows: number;
  readonly questions: readonly number[];
}

type Draw = ReturnType<typeof normals>;

/** The batch in the core's memory; what a page or the batch does not hold is NaN, so that using it shows. */
export class AttentionCase {
  readonly shape: Shape;
  readonly rows: number;
  readonly queryHeads: number;
  /** Address of the layer's record. */
  readonly record: number;
  readonly queries: Float32Array;
  readonly keys: Float32Array;
  readonly values: Float32Array;
  /** Keys and values of the entries before the batch, head by head. */
  readonly pastKeys: readonly Float32Array[];
  readonly pastValues: readonly Float32Array[];
  readonly factors: Float32Array;
  readonly pages: readonly (readonly number[])[];
  readonly pointers: {
    queries: number;
    keys: number;
    values: number;
    outputs: number;
    statistics: number;
    scores: readonly number[];
  };
  readonly #core: Core;
  readonly #scratch: number;
  readonly #state: number;

  constructor(core: Core, draw: Draw, shape: Shape, scoring: "none" | "sharpest" | "summed", sharedScores = false) {
    const { before, group, headSize, pageShift, textRows, questions } = shape;
    this.#core = core;
    this.shape = shape;
    this.rows = questions.reduce((sum, length) => sum + length, textRows);
    this.queryHeads = before.length * group;
    const { rows } = this;
    const keyWidth = before.length * headSize;
    this.queries = draw(rows * this.queryHeads * headSize, 1.5);
    this.keys = draw(rows * keyWidth);
    this.values = draw(rows * keyWidth);
    this.pastKeys = before.map((length) => draw(length * headSize));
    this.pastValues = before.map((length) => draw(length * headSize));
    this.factors = draw(rows).map(Math.abs);
    const pageRows = 1 << pageShift;
    this.pages = before.map((length, head) => {
      const pages = Array.from({ length: Math.ceil((length + textRows) / pageRows) }, () => {
        const page = core.allocate(pageRows * headSize * 8);
        core.f32(page, pageRows * headSize * 2).fill(Number.NaN);
        return page;
      });
      for (let entry = 0; entry < length; entry++) {
        const at = pages[entry >> pageShift]! + (entry % pageRows) * headSize * 4;
        const row = (list: Float32Array) => list.subarray(entry * headSize, (entry + 1) * headSize);
        core.f32(at, headSize).set(row(this.pastKeys[head]!));
        core.f32(at + pageRows * headSize * 4, headSize).set(row(this.pastValues[head]!));
      }
      return pages;
    });
    const table = before.flatMap((length, head) => [
      place(core, Uint32Array.from(this.pages[head]!)),
      length + textRows,
      10 * head,
      0,
    ]);
    const segments: number[] = textRows ? [0, textRows, 1, 0] : [];
    for (let index = 0, first = textRows; index < questions.length; first += questions[index++]!) {
      segments.push(first, questions[index]!, 0, 0);
    }
    const spare = new Float32Array(pageRows * keyWidth).fill(Number.NaN);
    const padded = (list: Float32Array) => place(core, Float32Array.from([...list, ...spare]));
    const longest = Math.ceil((Math.max(...before) + textRows) / pageRows) * pageRows;
    const scoreLists = Array.from({ length: sharedScores ? 1 : before.length }, () =>
      place(core, new Float32Array(longest)),
    );
    this.pointers = {
      queries: place(core, this.queries),
      keys: padded(this.keys),
      values: padded(this.values),
      outputs: place(core, new Float32Array(this.queries.length)),
      statistics: place(core, new Float32Array(rows * this.queryHeads * 2)),
      scores: before.map((_, head) => scoreLists[sharedScores ? 0 : head]!),
    };
    this.record = core.allocate(bytesOf(LayerRecord));
    const tablePointer = place(core, Uint32Array.from(table));
    writeRecord(core, this.record, LayerRecord, {
      queries: this.pointers.queries,
      keys: this.pointers.keys,
      values: this.pointers.values,
      outputs: this.pointers.outputs,
      heads: tablePointer,
      segments: place(core, Uint32Array.from(segments)),
      segmentCount: segments.length / 4,
      kvHeads: before.length,
      group,
      headSize,
      pageShift,
      scale: bitsOf(1 / Math.sqrt(headSize)),
      statistics: scoring === "none" ? 0 : this.pointers.statistics,
      scores: place(core, Uint32Array.from(this.pointers.scores)),
      factors: scoring === "summed" ? place(core, this.factors) : 0,
      stored: tablePointer,
      rotations: 0,
      shortRotations: 0,
      keyFactor: bitsOf(1),
    });
    this.#scratch = core.allocate(core.kernels.scratchBytes(headSize));
    this.#state = core.allocate(64);
  }

  /** Runs steps as each of `threads` threads in turn, which steps without a barrier allow. */
  run(threads: number, ...steps: ((tape: Tape) => void)[]): void {
    for (const step of steps) {
      const tape = new Tape();
      step(tape);
      const pointer = tape.write(this.#core);
      // Whatever the scratch holds must not matter.
      for (let thread = 0; thread < threads; thread++) {
        this.#core.bytes(this.#scratch, this.#core.kernels.scratchBytes(this.shape.headSize)).fill(0xff);
        this.#core.kernels.run(pointer, thread, threads, this.#scratch, this.#state);
      }
      this.#core.free(pointer);
    }
  }

  /** [rows][queryHeads][headSize] */
  outputs(): Float32Array {
    return this.#core.f32(this.pointers.outputs, this.queries.length).slice();
  }

  scores(head: number): Float32Array {
    return this.#core.f32(this.pointers.scores[head]!, this.shape.before[head]! + this.shape.textRows).slice();
  }

  /** What attention gives, in f64: the outputs, and each query's weights of the entries in the pages. */
  expected(): { outputs: Float64Array; weights: (row: number, queryHead: number) => Float64Array } {
    const { group, headSize, before, textRows, questions } = this.shape;
    const outputs = new Float64Array(this.queries.length);
    const weights: Float64Array[] = [];
    for (let row = 0; row < this.rows; row++) {
      let [first, end] = [textRows, textRows];
      if (row < textRows) end = row + 1;
      else for (let index = 0; row >= first + questions[index]!; index++) first += questions[index]!;
      for (let queryHead = 0; queryHead < this.queryHeads; queryHead++) {
        const head = Math.floor(queryHead / group);
        const own = row < textRows ? [] : Array.from({ length: row - first + 1 }, (_, i) => first + i);
        const batch = (list: Float32Array, index: number) =>
          list.subarray((index * before.length + head) * headSize).subarray(0, headSize);
        const past = (list: Float32Array) =>
          Array.from({ length: before[head]! }, (_, i) => list.subarray(i * headSize, (i + 1) * headSize));
        const rowsOf = (pastList: Float32Array, list: Float32Array) => [
          ...past(pastList),
          ...Array.from({ length: end }, (_, i) => batch(list, i)),
          ...own.map((i) => batch(list, i)),
        ];
        const keys = rowsOf(this.pastKeys[head]!, this.keys);
        const values = rowsOf(this.pastValues[head]!, this.values);
        const at = (row * this.queryHeads + queryHead) * headSize;
        const query = this.queries.subarray(at, at + headSize);
        const scores = keys.map((key) => key.reduce((sum, k, i) => sum + k * query[i]!, 0) / Math.sqrt(headSize));
        const largest = Math.max(...scores);
        const powers = scores.map((score) => Math.exp(score - largest));
        const sum = powers.reduce((a, b) => a + b, 0);
        for (const [index, value] of values.entries()) {
          for (let i = 0; i < headSize; i++) outputs[at + i]! += (powers[index]! / sum) * value[i]!;
        }
        weights.push(Float64Array.from(powers.slice(0, before[head]! + end), (power) => power / sum));
      }
    }
    return { outputs, weights: (row, queryHead) => weights[row * this.queryHeads + queryHead]! };
  }
}
