/** A model's weights, packed in the core's memory as its kernels want them. */
import type { Core } from "../core/core.ts";
import { F32_BLOCK_BYTES, Q4_BLOCK_BYTES, Q8_BLOCK_BYTES, WIDE_Q4_BLOCK_BYTES } from "../core/layouts.ts";

/** How a matrix is held: f32, 8 bits in blocks of 32 with a scale each, or 4 bits with a scale and a minimum. */
export type WeightForm = "f32" | "q8" | "q4";

/** A weight matrix [rows, depth] in panels of 8 rows; rows beyond the last are zero. */
export interface Matrix {
  readonly form: WeightForm;
  /** Whether 4-bit blocks carry their scale and minimum as f32 (else f16). */
  readonly wide: boolean;
  readonly pointer: number;
  readonly rows: number;
  readonly depth: number;
  readonly panels: number;
}

/** A vector of f32, padded like the rows that it meets. */
export interface Vector {
  readonly pointer: number;
  readonly length: number;
}

/** One layer's weights. */
export interface LayerWeights {
  readonly attentionNorm: Vector;
  readonly query: Matrix;
  readonly queryBias?: Vector;
  readonly key: Matrix;
  readonly keyBias?: Vector;
  readonly value: Matrix;
  readonly valueBias?: Vector;
  readonly output: Matrix;
  readonly outputBias?: Vector;
  readonly feedForwardNorm: Vector;
  readonly gate: Matrix;
  readonly gateBias?: Vector;
  readonly up: Matrix;
  readonly upBias?: Vector;
  readonly down: Matrix;
  readonly downBias?: Vector;
}

/** The weights outside the layers. */
export interface WholeWeights {
  readonly embedding: Matrix;
  readonly outputNorm: Vector;
  /** The embedding itself where the two are tied. */
  readonly output: Matrix;
  /** Divisors of the rotary frequencies, for each pair of a head's dimensions. */
  readonly rotaryFactors?: Vector;
}

/** All weights of a model. */
export interface ModelWeights extends WholeWeights {
  readonly layers: readonly LayerWeights[];
}

/** Panels of 8 rows that a matrix stands in. */
export function panelsOf(rows: number): number {
  return Math.ceil(rows / 8);
}

/** Bytes of `rows` rows of a packed matrix; blocks of 8 rows x 32 of the depth, as assembly/weights-*.ts lays them out. */
export function matrixBytes({ form, wide, depth }: Pick<Matrix, "form" | "wide" | "depth">, rows: number): number {
  const narrow = { f32: F32_BLOCK_BYTES, q8: Q8_BLOCK_BYTES, q4: Q4_BLOCK_BYTES }[form];
  const blockBytes = form === "q4" && wide ? WIDE_Q4_BLOCK_BYTES : narrow;
  return (panelsOf(rows) * depth * blockBytes) / 32;
}

/** Where a tensor belongs: its role, and its layer if it is in one. */
export type TensorPlace =
  | { readonly layer: undefined; readonly role: keyof WholeWeights }
  | { readonly layer: number; readonly role: keyof LayerWeights };

/** A tensor with its place in the core's memory. */
export interface PackedTensor {
  readonly place: TensorPlace;
  readonly held: Matrix | Vector;
}

/** Arranges packed tensors by their roles; every one that is required must be there. */
export function arrangeWeights(layers: number, packed: readonly PackedTensor[]): ModelWeights {
  const whole: Record<string, Matrix | Vector> = {};
  const inLayers = Array.from({ length: layers }, (): Record<string, Matrix | Vector> => ({}));
  for (const { place, held } of packed) (place.layer === undefined ? whole : inLayers[place.layer]!)[place.role] = held;
  // Where the two are tied the file has one of them.
  return { output: whole.embedding, ...whole, layers: inLayers } as unknown as ModelWeights;
}

/** Frees every packed tensor. */
export function freeTensors(core: Core, packed: readonly PackedTensor[]): void {
  for (const { held } of packed) core.free(held.pointer);
}
