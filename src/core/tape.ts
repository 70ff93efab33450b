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
  SiluMultiply: 18,
} as const;

const floatWord = new Float32Array(1);
const floatBits = new Uint32Array(floatWord.buffer);

/** A program of the core under construction; each method appends one step. Pointers are bytes, counts are elements. */
export class Tape {
  readonly #words: number[] = [];

  /** Steps after it see all results of the steps before it, whichever thread made them. */
  barrier(): void {
    this.#words.push(Operation.Barrier);
  }

  embed(form: "f32" | "q8", weights: number, tokens: number, target: number, rows: number, width: number): void {
    this.#words.push(form === "f32" ? Operation.EmbedF32 : Operation.EmbedQ8, weights, tokens, target, rows, width);
  }

  rmsNorm(source: number, weight: number, target: number, width: number, epsilon: number, rows: number): void {
    this.#words.push(Operation.RmsNorm, source, weight, target, width, bitsOf(epsilon), rows);
  }

  packRows(source: number, target: number, rows: number, depth: number): void {
    this.#words.push(Operation.PackRows, source, target, rows, depth);
  }

  quantiseRows(source: number, target: number, scales: number, rows: number, depth: number): void {
    this.#words.push(Operation.QuantiseRows, source, target, scales, rows, depth);
  }

  quantiseRow(source: number, target: number, scale: number, sums: number, depth: number): void {
    this.#words.push(Operation.QuantiseRow, source, target, scale, sums, depth);
  }

  matmulF32(
    activations: number,
    weights: number,
    results: number,
    resultStride: number,
    rows: number,
    depth: number,
    panels: number,
    accumulate: boolean,
  ): void {
    this.#words.push(
      Operation.MatmulF32,
      activations,
      weights,
      results,
      resultStride,
      rows,
      depth,
      panels,
      Number(accumulate),
    );
  }

  matvecF32(
    activations: number,
    weights: number,
    results: number,
    depth: number,
    panels: number,
    accumulate: boolean,
  ): void {
    this.#words.push(Operation.MatvecF32, activations, weights, results, depth, panels, Number(accumulate));
  }

  matmulQ8(
    activations: number,
    rowScales: number,
    weights: number,
    results: number,
    resultStride: number,
    rows: number,
    depth: number,
    panels: number,
    accumulate: boolean,
  ): void {
    this.#words.push(
      Operation.MatmulQ8,
      activations,
      rowScales,
      weights,
      results,
      resultStride,
      rows,
      depth,
      panels,
      Number(accumulate),
    );
  }

  matvecQ8(
    activations: number,
    scale: number,
    weights: number,
    results: number,
    depth: number,
    panels: number,
    accumulate: boolean,
  ): void {
    this.#words.push(Operation.MatvecQ8, activations, scale, weights, results, depth, panels, Number(accumulate));
  }

  /** @param rotations address of the word that holds the address of the rotation rows: they may move as they grow */
  rotate(layer: number, rotations: number, rowOffsets: number, half: number, factor: number, rows: number): void {
    this.#words.push(Operation.Rotate, layer, rotations, rowOffsets, half, bitsOf(factor), rows);
  }

  append(layer: number, rows: number): void {
    this.#words.push(Operation.Append, layer, rows);
  }

  attend(layer: number): void {
    this.#words.push(Operation.Attend, layer);
  }

  attendRow(layer: number, parts: number): void {
    this.#words.push(Operation.AttendRow, layer, parts);
  }

  mergeParts(layer: number, parts: number): void {
    this.#words.push(Operation.MergeParts, layer, parts);
  }

  scoreEntries(layer: number): void {
    this.#words.push(Operation.ScoreEntries, layer);
  }

  siluMultiply(gate: number, up: number, width: number, rows: number): void {
    this.#words.push(Operation.SiluMultiply, gate, up, width, rows);
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
