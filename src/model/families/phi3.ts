/** Phi-3 and Phi-4-mini (Abdin et al. 2024, arXiv 2404.14219): fused projections, LongRoPE, perhaps heads that turn in part. */
import type { Family } from "./family.ts";

export const phi3: Family = {
  name: "phi3",
  gguf: "phi3",
  // What files of before transformers 4.43 call it.
  ropeTypes: { su: "longrope", yarn: "longrope" },
  defaults: { rms_norm_eps: 1e-5, max_position_embeddings: 4096, original_max_position_embeddings: 4096 },
  fromJson: (reader, { headSize, layer }) => {
    const inside = reader.object("rope_parameters").partial_rotary_factor;
    const part = reader.number("partial_rotary_factor", typeof inside === "number" ? inside : 1);
    return {
      rotaryDimensions: Math.trunc(headSize * part),
      layerPattern: [{ ...layer, window: reader.windowOf("sliding_window") }],
    };
  },
  fromGguf: (reader, { headSize, layer }) => ({
    rotaryDimensions: reader.count("rope.dimension_count", headSize),
    layerPattern: [{ ...layer, window: reader.windowOf("attention.sliding_window") }],
  }),
};
