/** A model's configuration out of Hugging Face's config.json. */
import { FormatError } from "../errors.ts";
import { longRopeAttentionFactor, type RotaryConfig } from "../rotary/frequencies.ts";
import { show } from "../show.ts";
import { type LayerDescription, plainArchitecture } from "./architecture.ts";
import { ConfigReader, checkedConfig, type ModelConfig } from "./config.ts";
import { families, familyNames } from "./families/index.ts";

/**
 * Reads Hugging Face's config.json as transformers does.
 * @throws FormatError for a missing or impossible value, a family that is not known, or a key that would change the
 * result and is not supported
 */
export function configFromJson(json: Record<string, unknown>, file: string): ModelConfig {
  const kind = json.model_type;
  const family = families.find(({ name }) => name === kind);
  const defaults = family?.defaults ?? {};
  const lookup = (key: string) =>
    Object.hasOwn(json, key) ? json[key] : Object.hasOwn(defaults, key) ? defaults[key] : undefined;
  const reader = new JsonReader(file, lookup, family?.ropeTypes ?? {});
  refuseExperts(reader, kind);
  if (!family) throw new FormatError(file, `model_type ${show(kind)} is not supported (${familyNames} are)`);
  const hiddenSize = reader.count("hidden_size");
  const queryHeads = reader.count("num_attention_heads");
  const headSize = reader.count("head_dim", hiddenSize / queryHeads);
  const maxPositions = reader.count("max_position_embeddings", 2048);
  const layers = reader.count("num_hidden_layers");
  const layer: LayerDescription = {
    norms: "before",
    queryKeyNorms: "none",
    biases: [],
    activation: activationOf(reader),
    rotary: reader.rotaryOf(reader.object("rope_parameters")),
    attentionScale: 1 / Math.sqrt(headSize),
    scoreCap: undefined,
    window: undefined,
  };
  const difference = family.fromJson(reader, { layers, hiddenSize, queryHeads, headSize, maxPositions, layer });
  const part = reader.object("rope_parameters").partial_rotary_factor ?? 1;
  if (part !== 1 && difference.rotaryDimensions === undefined) {
    throw new FormatError(file, `partial_rotary_factor = ${show(part)} is not supported`);
  }
  const config = checkedConfig(file, {
    architecture: family.name,
    vocabularySize: reader.count("vocab_size"),
    hiddenSize,
    intermediateSize: reader.count("intermediate_size"),
    layers,
    queryHeads,
    kvHeads: reader.count("num_key_value_heads", queryHeads),
    headSize,
    maxPositions,
    normEpsilon: reader.number("rms_norm_eps", 1e-6),
    tiedEmbeddings: reader.flag("tie_word_embeddings", false),
    ...plainArchitecture(headSize, layer),
    ...difference,
  });
  refuseUnsupported(reader, unsupported);
  return config;
}

const activations: Readonly<Record<string, LayerDescription["activation"]>> = {
  silu: "silu",
  swish: "silu",
  gelu_pytorch_tanh: "gelu",
};

function activationOf(reader: ConfigReader): LayerDescription["activation"] {
  const key = reader.value("hidden_activation") === undefined ? "hidden_act" : "hidden_activation";
  const name = reader.value(key) ?? "silu";
  if (typeof name === "string" && Object.hasOwn(activations, name)) return activations[name]!;
  throw new FormatError(
    reader.file,
    `${key} ${show(name)} is not supported (${Object.keys(activations).join(", ")} are)`,
  );
}

/** Reads config.json, RoPE under its old and its new names. */
class JsonReader extends ConfigReader {
  readonly #lookup: (key: string) => unknown;
  readonly #ropeTypes: Readonly<Record<string, string>>;

  constructor(file: string, lookup: (key: string) => unknown, ropeTypes: Readonly<Record<string, string>>) {
    super(file, lookup);
    this.#lookup = lookup;
    this.#ropeTypes = ropeTypes;
  }

  object(key: string): Readonly<Record<string, unknown>> {
    const value = this.value(key) ?? (key === "rope_parameters" ? this.value("rope_scaling") : undefined) ?? {};
    if (typeof value !== "object" || Array.isArray(value)) this.refuse(key, "an object", value);
    return value as Record<string, unknown>;
  }

  rotaryOf(parameters: Readonly<Record<string, unknown>>): RotaryConfig {
    return rotaryFromJson(parameters, this.#lookup, this.file, this.#ropeTypes);
  }
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
    if (reader.wasRead(key)) continue;
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

/**
 * What a model says of RoPE.
 * @param parameters `rope_parameters`, or `rope_scaling` of older files, which have some values outside
 * @param outside looks a value up beside them
 * @param types other names of types
 */
export function rotaryFromJson(
  parameters: Readonly<Record<string, unknown>>,
  outside: (key: string) => unknown,
  file: string,
  types: Readonly<Record<string, string>> = {},
): RotaryConfig {
  const reader = new ConfigReader(file, (key) => parameters[key] ?? outside(key));
  const own = new ConfigReader(file, (key) => parameters[key]);
  const given: unknown = own.value("rope_type") ?? own.value("type") ?? "default";
  const type: unknown = typeof given === "string" && Object.hasOwn(types, given) ? types[given] : given;
  if (own.value("mrope_section") !== undefined) throw new FormatError(file, "mrope_section is not supported");
  const theta = reader.number("rope_theta", 10000);
  const maxPositions = reader.count("max_position_embeddings", 2048);
  const original = () => reader.count("original_max_position_embeddings", maxPositions);
  switch (type) {
    case "default":
      return { type, theta };
    case "linear":
      return { type, theta, factor: own.number("factor") };
    case "dynamic":
      return { type, theta, factor: own.number("factor"), maxPositions };
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
    case "longrope": {
      // Where both say it, what stands outside counts.
      const positions = outside("original_max_position_embeddings") ?? parameters.original_max_position_embeddings;
      const originalMaxPositions = new ConfigReader(file, () => positions).count(
        "original_max_position_embeddings",
        maxPositions,
      );
      const factor = own.number("factor", maxPositions / originalMaxPositions);
      return {
        type,
        theta,
        shortFactors: factorsOf(own, "short_factor"),
        longFactors: factorsOf(own, "long_factor"),
        originalMaxPositions,
        attentionFactor:
          own.optionalNumber("attention_factor") ?? longRopeAttentionFactor(factor, originalMaxPositions),
      };
    }
    default:
      throw new FormatError(file, `rope type ${show(type)} is not supported`);
  }
}

function factorsOf(reader: ConfigReader, key: string): readonly number[] {
  const value = reader.value(key);
  if (!Array.isArray(value) || !value.every((each) => typeof each === "number" && each > 0)) {
    reader.refuse(key, "a list of positive numbers", value);
  }
  return value;
}
