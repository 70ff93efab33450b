/** Writes the steps of a forward pass as the numbers that assembly/tape.ts runs, in the same order. */
import type { Core } from "./core.ts";

const Operation = {
  End: 0,
  Barrier: 1,
  EmbedF32: 2,
  EmbedQ8: 3,
  RmsNorm: 4,
  PackRows: 5,
  QuantiseRows: 6,
  QuantiseRow: 7,
  MatmulF32: 8,
  MatvecF32: 9,
  MatmulQ8: 10,
  MatvecQ8: 11,
  Rotate: 12,
  Append: 13,
  Attend: 14,
  AttendRow: 15,
  MergeParts: 16,
  ScoreEntries: 17,
  GateMultiply: 18,
  EmbedQ4: 19,
  MatmulQ4: 20,
  MatvecQ4: 21,
  Copy: 22,
  AppendQ8: 23,
  ExpandQ8: 24,
  AttendRowQ8: 25,
  QuantiseRowQ4: 26,
  AddBias: 27,
} as const;

const floatWord = new Float32Array(1);
const floatBits = new Uint32Array(floatWord.buffer);

/** What a step needs to know of a packed weight matrix. */
export interface TapeMatrix {
  readonly form: "f32" | "q8" | "q4";
  readonly pointer: number;
  readonly depth: number;
  /** Panels of 8 columns. */
  readonly panels: number;
  /** Whether 4-bit blocks carry f32 scales. */
  readonly wide: boolean;
}

/** A program of the core under construction; each method appends one step. Pointers are bytes, counts are elements. */
export class Tape {
  readonly #words: number[] = [];

  /** Steps after it see all results of the steps before it, whichever thread made them. */
  barrier(): void {
    this.#words.push(Operation.Barrier);
  }

  /** @param factor by which embeddings are multiplied */
  embed(matrix: TapeMatrix, tokens: number, target: number, rows: number, width: number, factor: number): void {
    const operation = { f32: Operation.EmbedF32, q8: Operation.EmbedQ8, q4: Operation.EmbedQ4 }[matrix.form];
    this.#words.push(operation, matrix.pointer, tokens, target, rows, width, Number(matrix.wide), bitsOf(factor));
  }

  /** target (+)= the norm of source */
  rmsNorm(
    source: number,
    weight: number,
    target: number,
    width: number,
    epsilon: number,
    rows: number,
    accumulate: boolean,
  ): void {
    this.#words.push(Operation.RmsNorm, source, weight, target, width, bitsOf(epsilon), rows, Number(accumulate));
  }

  packRows(source: number, target: number, rows: number, depth: number): void {
    this.#words.push(Operation.PackRows, source, target, rows, depth);
  }

  quantiseRows(source: number, target: number, scales: number, rows: number, depth: number): void {
    this.#words.push(Operation.QuantiseRows, source, target, scales, rows, depth);
  }

  quantiseRow(source: number, target: number, scale: number, depth: number): void {
    this.#words.push(Operation.QuantiseRow, source, target, scale, depth);
  }

  quantiseRowQ4(source: number, target: number, scales: number, sums: number, depth: number): void {
    this.#words.push(Operation.QuantiseRowQ4, source, target, scales, sums, depth);
  }

  /**
   * results (+)= activations · weightsᵀ for many rows: f32 activations packed, others quantised with a scale for each
   * row and block of the depth.
   * @param resultStride bytes from row to row
   */
  matmul(
    matrix: TapeMatrix,
    activations: number,
    rowScales: number,
    results: number,
    resultStride: number,
    rows: number,
    accumulate: boolean,
  ): void {
    const { form, pointer, depth, panels, wide } = matrix;
    const rest = [pointer, results, resultStride, rows, depth, panels, Number(accumulate)];
    if (form === "f32") this.#words.push(Operation.MatmulF32, activations, ...rest);
    else if (form === "q8") this.#words.push(Operation.MatmulQ8, activations, rowScales, ...rest);
    else this.#words.push(Operation.MatmulQ4, activations, rowScales, ...rest, Number(wide));
  }

  /** results (+)= weights · one row: f32 as it is, or quantised as the form wants it; only 4 bits need `sums`. */
  matvec(
    matrix: TapeMatrix,
    activations: number,
    scales: number,
    sums: number,
    results: number,
    accumulate: boolean,
  ): void {
    const { form, pointer, depth, panels, wide } = matrix;
    const rest = [pointer, results, depth, panels, Number(accumulate)];
    if (form === "f32") this.#words.push(Operation.MatvecF32, activations, ...rest);
    else if (form === "q8") this.#words.push(Operation.MatvecQ8, activations, scales, ...rest);
    else this.#words.push(Operation.MatvecQ4, activations, scales, sums, ...rest, Number(wide));
  }

  /** @param rotations address of the word that holds the address of the rotation rows: they may move as they grow */
  rotate(layer: number, rotations: number, rowOffsets: number, half: number, factor: number, rows: number): void {
    this.#words.push(Operation.Rotate, layer, rotations, rowOffsets, half, bitsOf(factor), rows);
  }

  /** Puts the batch's text behind the entries of the pages: rotated keys as f32, or unrotated ones in 8 bits. */
  append(form: "f32" | "q8", layer: number, rows: number): void {
    this.#words.push(form === "f32" ? Operation.Append : Operation.AppendQ8, layer, rows);
  }

  /** Expands the 8-bit pages that a layer stores to the f32 ones that its attention reads. */
  expand(layer: number): void {
    this.#words.push(Operation.ExpandQ8, layer);
  }

  attend(layer: number): void {
    this.#words.push(Operation.Attend, layer);
  }

  attendRow(form: "f32" | "q8", layer: number, parts: number): void {
    this.#words.push(form === "f32" ? Operation.AttendRow : Operation.AttendRowQ8, layer, parts);
  }

  mergeParts(layer: number, parts: number): void {
    this.#words.push(Operation.MergeParts, layer, parts);
  }

  scoreEntries(layer: number): void {
    this.#words.push(Operation.ScoreEntries, layer);
  }

  /** gate = activation(gate) · up */
  gate(activation: "silu" | "gelu", gate: number, up: number, width: number, rows: number): void {
    this.#words.push(Operation.GateMultiply, gate, up, width, rows, Number(activation === "gelu"));
  }

  /** Rows of `width` become the row `bias`, or it is added to them. */
  addBias(bias: number, target: number, width: number, rows: number, accumulate: boolean): void {
    this.#words.push(Operation.AddBias, bias, target, width, rows, Number(accumulate));
  }

  /** target = source, `count` f32 that do not overlap. */
  copy(source: number, target: number, count: number): void {
    this.#words.push(Operation.Copy, source, target, count);
  }

  /** Puts the tape into the core's memory. @returns its address, to be freed by the caller */
  write(core: Core): number {
    const pointer = core.allocate((this.#words.length + 1) * 4);
    const target = core.u32(pointer, this.#words.length + 1);
    target.set(this.#words);
    target[this.#words.length] = Operation.End;
    return pointer;
  }
}

function bitsOf(value: number): number {
  floatWord[0] = value;
  return floatBits[0]!;
}
