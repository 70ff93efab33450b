/** Mistral 7B (Jiang et al. 2023, arXiv 2310.06825): Llama whose layers may all see a window only. Its GGUF files say llama. */
import type { Family } from "./family.ts";

export const mistral: Family = {
  name: "mistral",
  defaults: { sliding_window: 4096 },
  fromJson: (reader, { layer }) => ({ layerPattern: [{ ...layer, window: reader.windowOf("sliding_window") }] }),
};
