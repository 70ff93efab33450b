/** What the layers of a model compute, as data: a family of models describes them, and the one decoder reads it. */
import type { RotaryConfig } from "../rotary/frequencies.ts";

/** A product with a weight matrix in a layer. */
export type Projection = "query" | "key" | "value" | "output" | "gate" | "up" | "down";

/** One kind of layer. */
export interface LayerDescription {
  /** RMS norms of what attention and feed-forward layer read (`before`), of what they give before it is added (`after`), or `both`. */
  readonly norms: "before" | "after" | "both";
  /** RMS norms of queries and keys before they turn: each head by itself, or all heads as one row. */
  readonly queryKeyNorms: "none" | "head" | "row";
  /** Products to which a bias is added; in a GGUF perhaps in some of the layers. */
  readonly biases: readonly Projection[];
  /** Of the gate: x · sigmoid(x), or x · Φ(x) in its tanh form (Hendrycks and Gimpel 2016). */
  readonly activation: "silu" | "gelu";
  /** How queries and keys turn with the positions; undefined: not at all. */
  readonly rotary: RotaryConfig | undefined;
  /** By which products of queries and keys are multiplied before their softmax. */
  readonly attentionScale: number;
  /** c, where c · tanh(x / c) takes the place of a scaled product x. */
  readonly scoreCap: number | undefined;
  /** How many entries a token sees, itself included; undefined: all. */
  readonly window: number | undefined;
}

/** What a model computes beside the sizes that all families have. */
export interface Architecture {
  /** Dimensions of a head that turn, its first ones. */
  readonly rotaryDimensions: number;
  /** By which embeddings are multiplied. */
  readonly embeddingScale: number;
  /** By which what a layer gives is multiplied before it is added. */
  readonly residualScale: number;
  /** By which logits are multiplied. */
  readonly logitScale: number;
  /** c, where c · tanh(x / c) takes the place of a logit x. */
  readonly logitCap: number | undefined;
  /** The kinds of layers in turn: layer i is as entry i modulo their number says. Equal kinds are one object. */
  readonly layerPattern: readonly LayerDescription[];
}

/** What a model computes whose layers are all alike and that scales nothing. */
export function plainArchitecture(headSize: number, layer: LayerDescription): Architecture {
  return {
    rotaryDimensions: headSize,
    embeddingScale: 1,
    residualScale: 1,
    logitScale: 1,
    logitCap: undefined,
    layerPattern: [layer],
  };
}

/** What a layer computes. */
export function layerOf({ layerPattern }: Architecture, layer: number): LayerDescription {
  return layerPattern[layer % layerPattern.length]!;
}

/** Biases of all that attention multiplies with, and of the feed-forward layer. */
export const attentionBiases: readonly Projection[] = ["query", "key", "value", "output"];
export const feedForwardBiases: readonly Projection[] = ["gate", "up", "down"];
