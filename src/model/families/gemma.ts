/** Gemma (2024, arXiv 2403.08295): norms whose weights are held as the difference to 1, scaled embeddings, GELU. */
import type { LayerDescription } from "../architecture.ts";
import type { Basis } from "./family.ts";

/** What all Gemmas have. */
export function gemmaDifference({ hiddenSize, layer }: Basis): { embeddingScale: number; layer: LayerDescription } {
  return { embeddingScale: Math.fround(Math.sqrt(hiddenSize)), layer: { ...layer, activation: "gelu" } };
}

/** The keys that config.json leaves out when they are so. */
export const gemmaDefaults = {
  head_dim: 256,
  hidden_activation: "gelu_pytorch_tanh",
  max_position_embeddings: 8192,
  tie_word_embeddings: true,
};
