/** Qwen2 and Qwen2.5 (Yang et al. 2024, arXiv 2407.10671): biases of queries, keys and values; perhaps windows in the upper layers. */
import type { LayerDescription } from "../architecture.ts";
import { type Basis, type Family, type JsonReader, slidingLayers } from "./family.ts";

/** The layers by `use_sliding_window`, `max_window_layers` and `layer_types`. */
export function upperLayersSlide(reader: JsonReader, { layers }: Basis, layer: LayerDescription): LayerDescription[] {
  const listed = slidingLayers(reader, layers);
  const first = reader.value("max_window_layers");
  const window = reader.flag("use_sliding_window", false) ? reader.windowOf("sliding_window") : undefined;
  if (window === undefined) {
    if (listed?.includes(true)) reader.refuse("sliding_window", "given, as layers slide", undefined);
    return [layer];
  }
  const slides = { ...layer, window };
  if (listed) return listed.map((each) => (each ? slides : layer));
  const from = first === undefined ? 28 : Number(first);
  // Beyond so many layers a file lacks tensors.
  return Array.from({ length: Math.min(layers, 2 ** 16) }, (_, index) => (index >= from ? slides : layer));
}

export const qwen2: Family = {
  name: "qwen2",
  gguf: "qwen2",
  defaults: { max_position_embeddings: 32_768, sliding_window: 4096 },
  fromJson: (reader, basis) => ({
    layerPattern: upperLayersSlide(reader, basis, { ...basis.layer, biases: ["query", "key", "value"] }),
  }),
};
