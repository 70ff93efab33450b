/** A model's configuration out of a GGUF's metadata, read as llama.cpp reads it (src/llama-model.cpp, src/llama-context.cpp). */
import { FormatError } from "../errors.ts";
import type { MetadataValue } from "../formats/tensor-file.ts";
import { type RotaryConfig, yarnAttentionFactor } from "../rotary/frequencies.ts";
import { show } from "../show.ts";
import { ConfigReader, checkedConfig, type ModelConfig } from "./config.ts";

/** What of a GGUF's configuration its tensors say. */
export interface TensorFacts {
  /** Rows of the embedding table: older files do not say them otherwise. */
  readonly vocabularySize: number;
  /** Whether there is no output tensor. */
  readonly tiedEmbeddings: boolean;
  readonly attentionBias: boolean;
  readonly mlpBias: boolean;
}

const prefix = "llama.";

/**
 * Reads a GGUF's metadata.
 * @throws FormatError for a missing or impossible value, an architecture that is not supported, or a key of the
 * architecture that is not known to leave the result as it is
 */
export function configFromGguf(
  metadata: ReadonlyMap<string, MetadataValue>,
  file: string,
  facts: TensorFacts,
): ModelConfig {
  const kind = metadata.get("general.architecture");
  if (kind !== "llama") throw new FormatError(file, `architecture ${show(kind)} is not supported (llama is)`);
  const reader = new ConfigReader(file, (key) => metadata.get(key));
  const layers = reader.count(`${prefix}block_count`);
  const sameInAll = new ConfigReader(file, (key) => sameInAllLayers(metadata.get(key), layers, key, file));
  const hiddenSize = reader.count(`${prefix}embedding_length`);
  const queryHeads = sameInAll.count(`${prefix}attention.head_count`);
  const config = checkedConfig(file, {
    architecture: "llama",
    vocabularySize: facts.vocabularySize,
    hiddenSize,
    intermediateSize: sameInAll.count(`${prefix}feed_forward_length`),
    layers,
    queryHeads,
    kvHeads: sameInAll.count(`${prefix}attention.head_count_kv`, queryHeads),
    headSize: reader.count(`${prefix}attention.key_length`, hiddenSize / queryHeads),
    maxPositions: reader.count(`${prefix}context_length`),
    normEpsilon: reader.number(`${prefix}attention.layer_norm_rms_epsilon`),
    rotary: rotaryFromGguf(reader),
    tiedEmbeddings: facts.tiedEmbeddings,
    attentionBias: facts.attentionBias,
    mlpBias: facts.mlpBias,
  });
  for (const [key, given] of metadata) {
    if (key.startsWith(prefix)) checkKey(key, typeof given === "bigint" ? Number(given) : given, config, file);
  }
  return config;
}

/** A value that may be a list of one for each layer, if these are all the same. */
function sameInAllLayers(value: MetadataValue | undefined, layers: number, key: string, file: string): unknown {
  if (!Array.isArray(value)) return value;
  if (value.length !== layers) throw new FormatError(file, `${key} has ${value.length} values for ${layers} layers`);
  if (value.some((each) => each !== value[0])) {
    throw new FormatError(file, `${key} differs between layers, which is not supported: ${show(value)}`);
  }
  return value[0];
}

/** What a key's value must be, for the result to be that of this configuration. */
type Rule = (value: unknown, config: ModelConfig) => boolean;

const anything: Rule = () => true;
const nothing: Rule = (value) => value === 0 || value === false;
const nothingOrOne: Rule = (value) => value === 0 || value === 1;

/** Every key under the architecture's name that may stand in a file, without that name. */
const keys: Readonly<Record<string, Rule>> = {
  // Read above.
  block_count: anything,
  context_length: anything,
  embedding_length: anything,
  feed_forward_length: anything,
  "attention.head_count": anything,
  "attention.head_count_kv": anything,
  "attention.key_length": anything,
  "attention.layer_norm_rms_epsilon": anything,
  "rope.freq_base": anything,
  "rope.scale_linear": anything,
  "rope.scaling.type": anything,
  "rope.scaling.factor": anything,
  "rope.scaling.attn_factor": anything,
  "rope.scaling.original_context_length": anything,
  // Must agree with what was read.
  "attention.value_length": (value, { headSize }) => value === headSize,
  "rope.dimension_count": (value, { headSize }) => value === headSize,
  embedding_length_out: (value, { hiddenSize }) => value === 0 || value === hiddenSize,
  // Of no effect in this architecture: how the file or the model was made, or read by llama.cpp for others only.
  vocab_size: anything,
  tensor_data_layout: anything,
  pooling_type: anything,
  "rope.scaling.finetuned": anything,
  "rope.scaling.alpha": anything,
  "rope.scaling.yarn_ext_factor": anything,
  "rope.scaling.yarn_attn_factor": anything,
  "rope.scaling.yarn_beta_fast": anything,
  "rope.scaling.yarn_beta_slow": anything,
  "rope.scaling.yarn_log_multiplier": anything,
  "attention.layer_norm_epsilon": anything,
  // Without effect at these values only.
  "attention.causal": (value) => value === true,
  "attention.sliding_window": (value, { maxPositions }) =>
    value === 0 || (typeof value === "number" && value >= maxPositions),
  "attention.sliding_window_pattern": nothing,
  "attention.scale": (value, { headSize }) => value === 0 || value === Math.fround(1 / Math.sqrt(headSize)),
  "attention.max_alibi_bias": nothing,
  "attention.clamp_kqv": nothing,
  "attention.output_scale": nothingOrOne,
  "attention.value_scale": nothingOrOne,
  "attention.temperature_length": nothing,
  "attention.temperature_scale": nothing,
  attn_logit_softcapping: nothing,
  final_logit_softcapping: nothing,
  logit_scale: nothingOrOne,
  residual_scale: nothingOrOne,
  embedding_scale: nothingOrOne,
  use_parallel_residual: nothing,
  expert_count: nothing,
  expert_used_count: nothing,
  nextn_predict_layers: nothing,
  hidden_activation: (value) => value === "silu",
};

function checkKey(key: string, value: unknown, config: ModelConfig, file: string): void {
  const name = key.slice(prefix.length);
  if (name === "expert_count" && !nothing(value, config)) {
    throw new FormatError(file, `is of a mixture of experts (${show(value)} experts), which is not supported`);
  }
  const rule = Object.hasOwn(keys, name) ? keys[name]! : undefined;
  if (!rule) throw new FormatError(file, `has a key ${key} (${show(value)}), which is not known`);
  if (!rule(value, config)) throw new FormatError(file, `${key} = ${show(value)} is not supported`);
}

/** As llama.cpp: a factor without a type is linear, and the attention factor holds for every type. */
function rotaryFromGguf(reader: ConfigReader): RotaryConfig {
  const key = (name: string) => `${prefix}rope.${name}`;
  const context = `${prefix}context_length`;
  const theta = reader.number(key("freq_base"), 10000);
  const type: unknown = reader.value(key("scaling.type")) ?? "linear";
  const given = [key("scaling.factor"), key("scale_linear")].find((name) => reader.value(name) !== undefined);
  // 0 stands for none.
  const factor = given === undefined || reader.value(given) === 0 ? 1 : reader.number(given);
  const attention = reader.number(key("scaling.attn_factor"), 1);
  const positions = key("scaling.original_context_length");
  const original = reader.count(reader.value(positions) === 0 ? context : positions, reader.count(context));
  const scaled = attention === 1 ? {} : { attentionFactor: attention };
  switch (type) {
    case "none":
      return { type: "default", theta, ...scaled };
    case "linear":
      return factor === 1 ? { type: "default", theta, ...scaled } : { type, theta, factor, ...scaled };
    case "yarn":
      return {
        type,
        theta,
        factor,
        originalMaxPositions: original,
        betaFast: 32,
        betaSlow: 1,
        truncate: true,
        attentionFactor: yarnAttentionFactor({ factor }) * attention,
        mscale: undefined,
        mscaleAllDim: undefined,
      };
    default:
      throw new FormatError(reader.file, `${key("scaling.type")} = ${show(type)} is not supported`);
  }
}
