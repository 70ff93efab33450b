/** Granite 3 and 4's dense models (IBM, 2024): Llama with multipliers of embeddings, attention, residuals and logits. */
import type { Family } from "./family.ts";
import { biasesOf } from "./llama.ts";

export const granite: Family = {
  name: "granite",
  gguf: "granite",
  interleaved: true,
  fromJson: (reader, { layer }) => ({
    embeddingScale: reader.number("embedding_multiplier", 1),
    residualScale: reader.number("residual_multiplier", 1),
    logitScale: 1 / reader.number("logits_scaling", 1),
    layerPattern: [{ ...layer, biases: biasesOf(reader), attentionScale: reader.number("attention_multiplier", 1) }],
  }),
  fromGguf: (reader, { layer }) => {
    /** 0 stands for what is not said. */
    const scale = (key: string) => (reader.value(key) === 0 ? undefined : reader.optionalNumber(key));
    return {
      embeddingScale: scale("embedding_scale") ?? 1,
      residualScale: scale("residual_scale") ?? 1,
      logitScale: 1 / (scale("logit_scale") ?? 1),
      layerPattern: [{ ...layer, attentionScale: scale("attention.scale") ?? layer.attentionScale }],
    };
  },
};
