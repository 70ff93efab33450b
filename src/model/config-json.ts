/** A model's configuration out of Hugging Face's config.json. */
import { FormatError } from "../errors.ts";
import type { RotaryConfig } from "../rotary/frequencies.ts";
import { show } from "../show.ts";
import { ConfigReader, checkedConfig, type ModelConfig } from "./config.ts";

/**
 * Reads Hugging Face's config.json as transformers' LlamaConfig does.
 * @throws FormatError for a missing or impossible value, an architecture that is not supported, or a key that would
 * change the result and is not
 */
export function configFromJson(json: Record<string, unknown>, file: string): ModelConfig {
  const reader = new ConfigReader(file, (key) => json[key]);
  const kind = reader.value("model_type");
  refuseExperts(reader, kind);
  if (kind !== "llama") throw new FormatError(file, `model_type ${show(kind)} is not supported (llama is)`);
  refuseUnsupported(reader, unsupported);
  const activation = reader.value("hidden_act") ?? "silu";
  if (activation !== "silu" && activation !== "swish") {
    throw new FormatError(file, `hidden_act ${show(activation)} is not supported (silu is)`);
  }
  const hiddenSize = reader.count("hidden_size");
  const queryHeads = reader.count("num_attention_heads");
  const maxPositions = reader.count("max_position_embeddings", 2048);
  const rotary = reader.value("rope_parameters") ?? reader.value("rope_scaling") ?? {};
  if (typeof rotary !== "object" || Array.isArray(rotary)) reader.refuse("rope_parameters", "an object", rotary);
  return checkedConfig(file, {
    architecture: "llama",
    vocabularySize: reader.count("vocab_size"),
    hiddenSize,
    intermediateSize: reader.count("intermediate_size"),
    layers: reader.count("num_hidden_layers"),
    queryHeads,
    kvHeads: reader.count("num_key_value_heads", queryHeads),
    headSize: reader.count("head_dim", hiddenSize / queryHeads),
    maxPositions,
    normEpsilon: reader.number("rms_norm_eps", 1e-6),
    rotary: rotaryFromJson(rotary as Record<string, unknown>, json, file),
    tiedEmbeddings: reader.flag("tie_word_embeddings", false),
    attentionBias: reader.flag("attention_bias", false),
    mlpBias: reader.flag("mlp_bias", false),
  });
}

function refuseExperts(reader: ConfigReader, kind: unknown): void {
  for (const key of ["num_local_experts", "num_experts", "n_routed_experts"]) {
    const experts = reader.value(key);
    if (experts === undefined || experts === 0) continue;
    throw new FormatError(reader.file, `is of a mixture of experts (${show(experts)} experts), which is not supported`);
  }
  if (typeof kind === "string" && /^mixtral$|moe$/.test(kind)) {
    throw new FormatError(reader.file, `is of a mixture of experts (${show(kind)}), which is not supported`);
  }
}

const isNothing = (value: unknown) => value === false || value === 0;
const isOne = (value: unknown) => value === 1;

/** Keys by which other families change the result, and the values at which they do not. */
type Unsupported = readonly (readonly [string, (value: unknown, reader: ConfigReader) => boolean])[];

function refuseUnsupported(reader: ConfigReader, keys: Unsupported): void {
  for (const [key, isHarmless] of keys) {
    const value = reader.value(key);
    if (value === undefined || isHarmless(value, reader)) continue;
    throw new FormatError(reader.file, `${key} = ${show(value)} is not supported`);
  }
}

const unsupported: Unsupported = [
  ["quantization_config", isNothing],
  ["compression_config", isNothing],
  ["partial_rotary_factor", isOne],
  ["rotary_pct", isOne],
  ["sliding_window", (value, reader) => isNothing(value) || !slides(value, reader)],
  ["layer_types", (value) => Array.isArray(value) && value.every((type) => type === "full_attention")],
  ["no_rope_layers", (value) => Array.isArray(value) && value.every(isOne)],
  ["is_causal", (value) => value === true],
  ["use_bidirectional_attention", isNothing],
  ["alibi", isNothing],
  ["parallel_attn", isNothing],
  ["use_parallel_residual", isNothing],
  ["clip_qkv", isNothing],
  ["qk_norm", isNothing],
  ["use_qk_norm", isNothing],
  ["qk_layernorm", isNothing],
  ["query_pre_attn_scalar", isNothing],
  ["attention_multiplier", isNothing],
  ["attn_logit_softcapping", isNothing],
  ["final_logit_softcapping", isNothing],
  ["embedding_multiplier", isOne],
  ["residual_multiplier", isOne],
  ["logits_scaling", isOne],
  ["logit_scale", isOne],
  ["scale_emb", isOne],
  ["scale_depth", isNothing],
  ["dim_model_base", isNothing],
];

/** Whether a window of attention hides anything from tokens within the model's positions. */
function slides(window: unknown, reader: ConfigReader): boolean {
  if (reader.value("use_sliding_window") === false) return false;
  return !(typeof window === "number" && window >= reader.count("max_position_embeddings", 2048));
}

const unsupportedRotary: Unsupported = [
  ["partial_rotary_factor", isOne],
  ["mrope_section", isNothing],
];

/** @param parameters `rope_parameters`, or `rope_scaling` of older files, which have some values in `json` itself */
export function rotaryFromJson(
  parameters: Record<string, unknown>,
  json: Record<string, unknown>,
  file: string,
): RotaryConfig {
  const reader = new ConfigReader(file, (key) => parameters[key] ?? json[key]);
  const own = new ConfigReader(file, (key) => parameters[key]);
  const type: unknown = own.value("rope_type") ?? own.value("type") ?? "default";
  refuseUnsupported(own, unsupportedRotary);
  const theta = reader.number("rope_theta", 10000);
  const maxPositions = reader.count("max_position_embeddings", 2048);
  const original = () => reader.count("original_max_position_embeddings", maxPositions);
  switch (type) {
    case "default":
      return { type, theta };
    case "linear":
      return { type, theta, factor: own.number("factor") };
    case "llama3":
      return {
        type,
        theta,
        factor: own.number("factor"),
        lowFrequencyFactor: own.number("low_freq_factor"),
        highFrequencyFactor: own.number("high_freq_factor"),
        originalMaxPositions: original(),
      };
    case "yarn":
      return {
        type,
        theta,
        factor: own.number("factor", maxPositions / original()),
        originalMaxPositions: original(),
        betaFast: own.number("beta_fast", 32),
        betaSlow: own.number("beta_slow", 1),
        truncate: own.flag("truncate", true),
        attentionFactor: own.optionalNumber("attention_factor"),
        mscale: own.optionalNumber("mscale"),
        mscaleAllDim: own.optionalNumber("mscale_all_dim"),
      };
    default:
      throw new FormatError(file, `rope type ${show(type)} is not supported`);
  }
}
