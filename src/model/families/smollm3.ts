/** SmolLM3 (Hugging Face, 2025): Llama in which every fourth layer knows nothing of positions (Yang et al. 2025, arXiv 2501.18795). */
import type { LayerDescription } from "../architecture.ts";
import type { Family } from "./family.ts";
import { biasesOf } from "./llama.ts";

const isFlag = (value: unknown): value is 0 | 1 => value === 0 || value === 1;

/** All but every `period`-th layer turn. */
function pattern(layer: LayerDescription, period: number): LayerDescription[] {
  const still = { ...layer, rotary: undefined };
  return Array.from({ length: Math.min(period, 2 ** 16) }, (_, index) => (index === period - 1 ? still : layer));
}

export const smollm3: Family = {
  name: "smollm3",
  gguf: "smollm3",
  interleaved: true,
  defaults: { rope_theta: 2_000_000, max_position_embeddings: 32_768, tie_word_embeddings: true },
  fromJson: (reader, basis) => {
    const layer = { ...basis.layer, biases: biasesOf(reader) };
    const still = { ...layer, rotary: undefined };
    const period = reader.count("no_rope_layer_interval", 4);
    const turns = reader.list("no_rope_layers", basis.layers, isFlag);
    return { layerPattern: turns?.map((each) => (each ? layer : still)) ?? pattern(layer, period) };
  },
  // llama.cpp has the period in its source.
  fromGguf: (_, { layer }) => ({ layerPattern: pattern(layer, 4) }),
};
