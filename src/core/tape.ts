/** Writes the steps of a forward pass as the numbers that assembly/tape.ts runs. */
import type { Core } from "./core.ts";
import {
  AddBiasStep,
  AppendStep,
  AttendRowStep,
  CopyStep,
  EmbedStep,
  Form,
  GateMultiplyStep,
  LayerStep,
  MatmulStep,
  MatvecStep,
  MergePartsStep,
  Operation,
  PackRowsStep,
  PlainStep,
  QuantiseRowStep,
  QuantiseRowsStep,
  RmsNormStep,
  RotateStep,
} from "./layouts.ts";
import { bitsOf, type Words, wordsOf } from "./words.ts";

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
  /** Where barriers stand among the words. */
  readonly #barriers: number[] = [];

  /** Steps after it see all results of the steps before it, whichever thread made them. */
  barrier(): void {
    this.#barriers.push(this.#words.length);
    this.#step(PlainStep, { operation: Operation.Barrier });
  }

  /** @param factor by which embeddings are multiplied */
  embed(matrix: TapeMatrix, tokens: number, target: number, rows: number, width: number, factor: number): void {
    const { form, pointer: weights, wide } = heldAs(matrix);
    this.#step(EmbedStep, {
      operation: Operation.Embed,
      form,
      weights,
      wide,
      tokens,
      target,
      rows,
      width,
      factor: bitsOf(factor),
    });
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
    const operation = Operation.RmsNorm;
    this.#step(RmsNormStep, {
      operation,
      source,
      weight,
      target,
      width,
      epsilon: bitsOf(epsilon),
      rows,
      accumulate: Number(accumulate),
    });
  }

  packRows(source: number, target: number, rows: number, depth: number): void {
    this.#step(PackRowsStep, { operation: Operation.PackRows, source, target, rows, depth });
  }

  quantiseRows(source: number, target: number, scales: number, rows: number, depth: number): void {
    this.#step(QuantiseRowsStep, { operation: Operation.QuantiseRows, source, target, scales, rows, depth });
  }

  quantiseRow(source: number, target: number, scales: number, depth: number): void {
    this.#step(QuantiseRowStep, { operation: Operation.QuantiseRow, source, target, scales, sums: 0, depth });
  }

  quantiseRowQ4(source: number, target: number, scales: number, sums: number, depth: number): void {
    this.#step(QuantiseRowStep, { operation: Operation.QuantiseRowQ4, source, target, scales, sums, depth });
  }

  /**
   * results (+)= activations · weightsᵀ for many rows: f32 activations packed, others quantised with a scale for each
   * row and block of the depth.
   * @param resultStride bytes from row to row
   */
  matmul(
    matrix: TapeMatrix,
    activations: number,
    scales: number,
    results: number,
    resultStride: number,
    rows: number,
    accumulate: boolean,
  ): void {
    const { form, pointer: weights, wide, depth, panels } = heldAs(matrix);
    this.#step(MatmulStep, {
      operation: Operation.Matmul,
      form,
      weights,
      wide,
      depth,
      panels,
      activations,
      scales,
      results,
      resultStride,
      rows,
      accumulate: Number(accumulate),
    });
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
    const { form, pointer: weights, wide, depth, panels } = heldAs(matrix);
    this.#step(MatvecStep, {
      operation: Operation.Matvec,
      form,
      weights,
      wide,
      depth,
      panels,
      activations,
      scales,
      sums,
      results,
      accumulate: Number(accumulate),
    });
  }

  /** @param rotations address of the word that holds the address of the rotation rows: they may move as they grow */
  rotate(layer: number, rotations: number, rowOffsets: number, half: number, factor: number, rows: number): void {
    const operation = Operation.Rotate;
    this.#step(RotateStep, { operation, layer, rotations, rowOffsets, half, factor: bitsOf(factor), rows });
  }

  /** Puts the batch's text behind the entries of the pages: rotated keys as f32, or unrotated ones in 8 bits. */
  append(form: "f32" | "q8", layer: number, rows: number): void {
    this.#step(AppendStep, { operation: Operation.Append, form: Form[form], layer, rows });
  }

  /** Expands the 8-bit pages that a layer stores to the f32 ones that its attention reads. */
  expand(layer: number): void {
    this.#step(LayerStep, { operation: Operation.Expand, layer });
  }

  attend(layer: number): void {
    this.#step(LayerStep, { operation: Operation.Attend, layer });
  }

  attendRow(form: "f32" | "q8", layer: number, parts: number): void {
    this.#step(AttendRowStep, { operation: Operation.AttendRow, form: Form[form], layer, parts });
  }

  mergeParts(layer: number, parts: number): void {
    this.#step(MergePartsStep, { operation: Operation.MergeParts, layer, parts });
  }

  scoreEntries(layer: number): void {
    this.#step(LayerStep, { operation: Operation.ScoreEntries, layer });
  }

  /** gate = activation(gate) · up */
  gate(activation: "silu" | "gelu", gate: number, up: number, width: number, rows: number): void {
    const gelu = Number(activation === "gelu");
    this.#step(GateMultiplyStep, { operation: Operation.GateMultiply, gate, up, width, rows, gelu });
  }

  /** Rows of `width` become the row `bias`, or it is added to them. */
  addBias(bias: number, target: number, width: number, rows: number, accumulate: boolean): void {
    const operation = Operation.AddBias;
    this.#step(AddBiasStep, { operation, bias, target, width, rows, accumulate: Number(accumulate) });
  }

  /** target = source, `count` f32 that do not overlap. */
  copy(source: number, target: number, count: number): void {
    this.#step(CopyStep, { operation: Operation.Copy, source, target, count });
  }

  /** Puts the tape into the core's memory. @param owner whose it is then @returns its address */
  write(core: Core, owner: { allocate(byteLength: number): number } = core): number {
    const pointer = owner.allocate((this.#words.length + 1) * 4);
    const target = core.u32(pointer, this.#words.length + 1);
    target.set(this.#words);
    target[this.#words.length] = Operation.End;
    return pointer;
  }

  /**
   * Puts it into memory cut at its barriers, to be run one part after the other.
   * @returns the addresses of the parts; the first is that of the whole
   */
  writeParts(core: Core, owner: { allocate(byteLength: number): number } = core): number[] {
    const pointer = this.write(core, owner);
    const words = core.u32(pointer, this.#words.length);
    for (const barrier of this.#barriers) words[barrier] = Operation.End;
    return [pointer, ...this.#barriers.map((barrier) => pointer + (barrier + 1) * 4)];
  }

  #step<L extends { readonly words: number }>(layout: L, values: Words<L>): void {
    this.#words.push(...wordsOf(layout, values));
  }
}

/** A matrix as steps name it. */
function heldAs(matrix: TapeMatrix) {
  return { ...matrix, form: Form[matrix.form], wide: Number(matrix.wide) };
}
