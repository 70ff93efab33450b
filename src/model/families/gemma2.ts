/** Gemma 2 (2024, arXiv 2408.00118): norms before and after, capped scores and logits, a window in every other layer. */
import { everyNth, type Family, slidingInGguf, slidingLayers } from "./family.ts";
import { gemmaDefaults, gemmaDifference } from "./gemma.ts";

export const gemma2: Family = {
  name: "gemma2",
  gguf: "gemma2",
  normOffset: 1,
  defaults: {
    ...gemmaDefaults,
    query_pre_attn_scalar: 256,
    sliding_window: 4096,
    attn_logit_softcapping: 50,
    final_logit_softcapping: 30,
  },
  fromJson: (reader, basis) => {
    const { embeddingScale, layer } = gemmaDifference(basis);
    const full = {
      ...layer,
      norms: "both",
      attentionScale: 1 / Math.sqrt(reader.number("query_pre_attn_scalar")),
      scoreCap: reader.optionalNumber("attn_logit_softcapping"),
    } as const;
    const slides = { ...full, window: reader.windowOf("sliding_window") };
    const pattern = slidingLayers(reader, basis.layers) ?? everyNth(2);
    return {
      embeddingScale,
      logitCap: reader.optionalNumber("final_logit_softcapping"),
      layerPattern: pattern.map((each) => (each ? slides : full)),
    };
  },
  fromGguf: (reader, basis) => {
    const { embeddingScale, layer } = gemmaDifference(basis);
    // llama.cpp knows the one size whose scale is not that of its heads by its number of layers.
    const scaled = basis.layers === 46 ? basis.hiddenSize / basis.queryHeads : basis.headSize;
    const full = {
      ...layer,
      norms: "both",
      attentionScale: reader.optionalNumber("attention.scale") ?? 1 / Math.sqrt(scaled),
      scoreCap: reader.number("attn_logit_softcapping", 50),
    } as const;
    const slides = { ...full, window: reader.count("attention.sliding_window", 4096) };
    return {
      embeddingScale,
      logitCap: reader.number("final_logit_softcapping", 30),
      layerPattern: slidingInGguf(reader, basis.layers, 2).map((each) => (each ? slides : full)),
    };
  },
};
