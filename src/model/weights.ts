/** A model's weights, packed in the core's memory as its kernels want them. */
import type { Core } from "../core/core.ts";
import type { ModelConfig } from "./config.ts";

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

/** One layer's weights; norms are addresses of [hiddenSize] f32. */
export interface LayerWeights {
  readonly attentionNorm: number;
  readonly query: Matrix;
  readonly key: Matrix;
  readonly value: Matrix;
  readonly output: Matrix;
  readonly feedForwardNorm: number;
  readonly gate: Matrix;
  readonly up: Matrix;
  readonly down: Matrix;
}

/** All weights of a model. */
export interface ModelWeights {
  readonly embedding: Matrix;
  readonly layers: readonly LayerWeights[];
  readonly outputNorm: number;
  /** The embedding itself where the two are tied. */
  readonly output: Matrix;
}

/** Panels of 8 rows that a matrix stands in. */
export function panelsOf(rows: number): number {
  return Math.ceil(rows / 8);
}

/** Bytes of `rows` rows of a packed matrix; blocks of 8 rows x 32 of the depth, as assembly/weights-*.ts lays them out. */
export function matrixBytes({ form, wide, depth }: Pick<Matrix, "form" | "wide" | "depth">, rows: number): number {
  const blockBytes = form === "f32" ? 1024 : form === "q8" ? 288 : wide ? 192 : 160;
  return (panelsOf(rows) * depth * blockBytes) / 32;
}

/** The tensors that a model must have: canonical (Hugging Face) name to shape, outermost first. */
export function expectedTensors(config: ModelConfig): Map<string, readonly number[]> {
  const { hiddenSize: width, intermediateSize, queryHeads, keyHeads, headSize } = config;
  const tensors = new Map<string, readonly number[]>([["model.embed_tokens.weight", [config.vocabularySize, width]]]);
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `model.layers.${layer}.`;
    tensors.set(`${prefix}input_layernorm.weight`, [width]);
    tensors.set(`${prefix}self_attn.q_proj.weight`, [queryHeads * headSize, width]);
    tensors.set(`${prefix}self_attn.k_proj.weight`, [keyHeads * headSize, width]);
    tensors.set(`${prefix}self_attn.v_proj.weight`, [keyHeads * headSize, width]);
    tensors.set(`${prefix}self_attn.o_proj.weight`, [width, queryHeads * headSize]);
    tensors.set(`${prefix}post_attention_layernorm.weight`, [width]);
    tensors.set(`${prefix}mlp.gate_proj.weight`, [intermediateSize, width]);
    tensors.set(`${prefix}mlp.up_proj.weight`, [intermediateSize, width]);
    tensors.set(`${prefix}mlp.down_proj.weight`, [width, intermediateSize]);
  }
  tensors.set("model.norm.weight", [width]);
  if (!config.tiedEmbeddings) tensors.set("lm_head.weight", [config.vocabularySize, width]);
  return tensors;
}

/** Packed tensors by their canonical names: matrices, and addresses of vectors. */
export interface PackedTensors {
  readonly matrices: ReadonlyMap<string, Matrix>;
  readonly vectors: ReadonlyMap<string, number>;
}

/** Arranges packed tensors by their roles; every expected tensor must be there. */
export function arrangeWeights(config: ModelConfig, { matrices, vectors }: PackedTensors): ModelWeights {
  const matrix = (name: string) => matrices.get(name)!;
  const embedding = matrix("model.embed_tokens.weight");
  return {
    embedding,
    layers: Array.from({ length: config.layers }, (_, layer) => {
      const prefix = `model.layers.${layer}.`;
      return {
        attentionNorm: vectors.get(`${prefix}input_layernorm.weight`)!,
        query: matrix(`${prefix}self_attn.q_proj.weight`),
        key: matrix(`${prefix}self_attn.k_proj.weight`),
        value: matrix(`${prefix}self_attn.v_proj.weight`),
        output: matrix(`${prefix}self_attn.o_proj.weight`),
        feedForwardNorm: vectors.get(`${prefix}post_attention_layernorm.weight`)!,
        gate: matrix(`${prefix}mlp.gate_proj.weight`),
        up: matrix(`${prefix}mlp.up_proj.weight`),
        down: matrix(`${prefix}mlp.down_proj.weight`),
      };
    }),
    outputNorm: vectors.get("model.norm.weight")!,
    output: config.tiedEmbeddings ? embedding : matrix("lm_head.weight"),
  };
}

/** Frees every packed tensor. */
export function freeTensors(core: Core, { matrices, vectors }: PackedTensors): void {
  for (const { pointer } of matrices.values()) core.free(pointer);
  for (const pointer of vectors.values()) core.free(pointer);
}
