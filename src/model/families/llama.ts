/** Llama (Touvron et al. 2023, arXiv 2302.13971) and what is built like it: Llama 2 and 3, SmolLM, TinyLlama. */
import { attentionBiases, feedForwardBiases, type Projection } from "../architecture.ts";
import type { ConfigReader } from "../config.ts";
import type { Family } from "./family.ts";

/** Which products have biases, by the two keys that several families share. */
export function biasesOf(reader: ConfigReader): readonly Projection[] {
  const attention = reader.flag("attention_bias", false) ? attentionBiases : [];
  return [...attention, ...(reader.flag("mlp_bias", false) ? feedForwardBiases : [])];
}

export const llama: Family = {
  name: "llama",
  gguf: "llama",
  interleaved: true,
  fromJson: (reader, { layer }) => ({ layerPattern: [{ ...layer, biases: biasesOf(reader) }] }),
  // Mistral's files have this architecture too, and may say so.
  fromGguf: (reader, { layer }) => ({
    layerPattern: [{ ...layer, window: reader.windowOf("attention.sliding_window") }],
  }),
};
