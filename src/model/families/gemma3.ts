/** Gemma 3's text models (2025, arXiv 2503.19786): Gemma 2 with norms of queries and keys for the caps, and a RoPE for either kind of layer. */
import { everyNth, type Family, slidingInGguf, slidingLayers } from "./family.ts";
import { gemmaDefaults, gemmaDifference } from "./gemma.ts";

export const gemma3: Family = {
  name: "gemma3_text",
  gguf: "gemma3",
  normOffset: 1,
  defaults: {
    ...gemmaDefaults,
    max_position_embeddings: 131_072,
    query_pre_attn_scalar: 256,
    sliding_window: 4096,
    rope_theta: 1_000_000,
    rope_local_base_freq: 10_000,
  },
  fromJson: (reader, basis) => {
    const { embeddingScale, layer } = gemmaDifference(basis);
    const parameters = reader.object("rope_parameters");
    const { full_attention = parameters, sliding_attention = { rope_theta: reader.number("rope_local_base_freq") } } =
      parameters;
    const common = {
      ...layer,
      norms: "both",
      queryKeyNorms: "head",
      attentionScale: 1 / Math.sqrt(reader.number("query_pre_attn_scalar")),
      scoreCap: reader.optionalNumber("attn_logit_softcapping"),
    } as const;
    const full = { ...common, rotary: reader.rotaryOf(full_attention as Record<string, unknown>) };
    const slides = {
      ...common,
      rotary: reader.rotaryOf(sliding_attention as Record<string, unknown>),
      window: reader.windowOf("sliding_window"),
    };
    const pattern = slidingLayers(reader, basis.layers) ?? everyNth(reader.count("sliding_window_pattern", 6));
    return {
      embeddingScale,
      logitCap: reader.optionalNumber("final_logit_softcapping"),
      layerPattern: pattern.map((each) => (each ? slides : full)),
    };
  },
  fromGguf: (reader, basis) => {
    const { embeddingScale, layer } = gemmaDifference(basis);
    // llama.cpp knows the one size whose scale is not that of its heads by its number of layers.
    const scaled = basis.layers === 62 ? basis.hiddenSize / basis.queryHeads : basis.headSize;
    const full = {
      ...layer,
      norms: "both",
      queryKeyNorms: "head",
      attentionScale: reader.optionalNumber("attention.scale") ?? 1 / Math.sqrt(scaled),
    } as const;
    const slides = {
      ...full,
      rotary: { type: "default", theta: reader.number("rope.freq_base_swa", 10_000) },
      window: reader.count("attention.sliding_window"),
    } as const;
    const cap = reader.value("final_logit_softcapping");
    return {
      embeddingScale,
      logitCap: cap === 0 ? undefined : reader.optionalNumber("final_logit_softcapping"),
      layerPattern: slidingInGguf(reader, basis.layers, 6).map((each) => (each ? slides : full)),
    };
  },
};
