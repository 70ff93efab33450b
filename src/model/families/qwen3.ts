/** Qwen3 (Yang et al. 2025, arXiv 2505.09388): norms of every head's queries and keys. */
import { attentionBiases } from "../architecture.ts";
import type { Family } from "./family.ts";
import { upperLayersSlide } from "./qwen2.ts";

export const qwen3: Family = {
  name: "qwen3",
  gguf: "qwen3",
  defaults: { head_dim: 128, max_position_embeddings: 32_768, sliding_window: 4096 },
  fromJson: (reader, basis) => ({
    layerPattern: upperLayersSlide(reader, basis, {
      ...basis.layer,
      queryKeyNorms: "head",
      biases: reader.flag("attention_bias", false) ? attentionBiases : [],
    }),
  }),
  fromGguf: (_, { layer }) => ({ layerPattern: [{ ...layer, queryKeyNorms: "head" }] }),
};
