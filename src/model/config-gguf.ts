/** A model's configuration out of a GGUF's metadata, read as llama.cpp reads it (src/llama-model.cpp, src/llama-context.cpp). */
import { FormatError } from "../errors.ts";
import type { MetadataValue } from "../formats/tensor-file.ts";
import { type RotaryConfig, yarnAttentionFactor } from "../rotary/frequencies.ts";
import { show } from "../show.ts";
import { type LayerDescription, type Projection, plainArchitecture } from "./architecture.ts";
import { ConfigReader, checkedConfig, type ModelConfig } from "./config.ts";
import { architectureNames, families } from "./families/index.ts";
import { biasesAmong } from "./tensors.ts";

/** What of a GGUF's configuration its tensors say. */
export interface TensorFacts {
  /** Rows of the embedding table: older files do not say them otherwise. */
  readonly vocabularySize: number;
  readonly names: ReadonlySet<string>;
}

/**
 * Reads a GGUF's metadata.
 * @throws FormatError for a missing or impossible value, an architecture that is not known, or a key of the
 * architecture that is not known to leave the result as it is
 */
export function configFromGguf(
  metadata: ReadonlyMap<string, MetadataValue>,
  file: string,
  facts: TensorFacts,
): ModelConfig {
  const kind = metadata.get("general.architecture");
  const family = families.find(({ gguf }) => gguf !== undefined && gguf === kind);
  if (!family) {
    throw new FormatError(file, `architecture ${show(kind)} is not supported (${architectureNames} are)`);
  }
  const prefix = `${family.gguf}.`;
  const reader = new GgufReader(file, metadata, prefix, facts.names);
  const layers = reader.count("block_count");
  const sameInAll = new ConfigReader(
    file,
    (key) => sameInAllLayers(reader.value(key.slice(prefix.length)), layers, key, file),
    prefix,
  );
  const hiddenSize = reader.count("embedding_length");
  const queryHeads = sameInAll.count("attention.head_count");
  const headSize = reader.count("attention.key_length", hiddenSize / queryHeads);
  const maxPositions = reader.count("context_length");
  const layer: LayerDescription = {
    norms: "before",
    queryKeyNorms: "none",
    biases: [],
    activation: "silu",
    rotary: rotaryFromGguf(reader),
    attentionScale: 1 / Math.sqrt(headSize),
    scoreCap: undefined,
    window: undefined,
  };
  const basis = { layers, hiddenSize, queryHeads, headSize, maxPositions, layer };
  const architecture = { ...plainArchitecture(headSize, layer), ...family.fromGguf?.(reader, basis) };
  const config = checkedConfig(file, {
    architecture: family.name,
    vocabularySize: facts.vocabularySize,
    hiddenSize,
    intermediateSize: sameInAll.count("feed_forward_length"),
    layers,
    queryHeads,
    kvHeads: sameInAll.count("attention.head_count_kv", queryHeads),
    headSize,
    maxPositions,
    normEpsilon: reader.number("attention.layer_norm_rms_epsilon"),
    tiedEmbeddings: !facts.names.has("output.weight"),
    ...architecture,
    layerPattern: withBiases(architecture.layerPattern, biasesAmong(facts.names)),
  });
  for (const [key, given] of metadata) {
    if (!key.startsWith(prefix) || reader.wasRead(key.slice(prefix.length))) continue;
    checkKey(key.slice(prefix.length), prefix, typeof given === "bigint" ? Number(given) : given, config, file);
  }
  return config;
}

/** A GGUF does not say which biases it has: those that are there count. */
function withBiases(pattern: readonly LayerDescription[], biases: readonly Projection[]): readonly LayerDescription[] {
  const kinds = new Map([...new Set(pattern)].map((layer) => [layer, { ...layer, biases }]));
  return pattern.map((layer) => kinds.get(layer)!);
}

class GgufReader extends ConfigReader {
  readonly #tensors: ReadonlySet<string>;

  constructor(
    file: string,
    metadata: ReadonlyMap<string, MetadataValue>,
    prefix: string,
    tensors: ReadonlySet<string>,
  ) {
    super(file, (key) => metadata.get(key), prefix);
    this.#tensors = tensors;
  }

  hasTensor(name: string): boolean {
    return this.#tensors.has(name);
  }
}

/** A value that may be a list of one for each layer, if these are all the same. */
function sameInAllLayers(value: unknown, layers: number, key: string, file: string): unknown {
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

/** Keys under the architecture's name, without it, that may stand in a file and that nothing reads. */
const unread: Readonly<Record<string, Rule>> = {
  // Must agree with what was read.
  "attention.value_length": (value, { headSize }) => value === headSize,
  "rope.dimension_count": (value, { headSize }) => value === headSize,
  embedding_length_out: (value, { hiddenSize }) => value === 0 || value === hiddenSize,
  // Of no effect in this architecture: how the file or the model was made, or read by llama.cpp for others only.
  vocab_size: anything,
  "rope.scale_linear": anything,
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

function checkKey(name: string, prefix: string, value: unknown, config: ModelConfig, file: string): void {
  if (name === "expert_count" && !nothing(value, config)) {
    throw new FormatError(file, `is of a mixture of experts (${show(value)} experts), which is not supported`);
  }
  const rule = Object.hasOwn(unread, name) ? unread[name]! : undefined;
  if (!rule) throw new FormatError(file, `has a key ${prefix}${name} (${show(value)}), which is not known`);
  if (!rule(value, config)) throw new FormatError(file, `${prefix}${name} = ${show(value)} is not supported`);
}

/** As llama.cpp: a factor without a type is linear, and the attention factor holds for every type. */
function rotaryFromGguf(reader: GgufReader): RotaryConfig {
  const theta = reader.number("rope.freq_base", 10000);
  const factors = reader.hasTensor("rope_factors_long.weight");
  const type: unknown = reader.value("rope.scaling.type") ?? (factors ? "longrope" : "linear");
  const given = ["rope.scaling.factor", "rope.scale_linear"].find((name) => reader.value(name) !== undefined);
  // 0 stands for none.
  const factor = given === undefined || reader.value(given) === 0 ? 1 : reader.number(given);
  const attention = reader.number("rope.scaling.attn_factor", 1);
  const positions = "rope.scaling.original_context_length";
  const context = reader.count("context_length");
  const original = reader.value(positions) === 0 ? context : reader.count(positions, context);
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
    case "longrope":
      if (!factors) throw new FormatError(reader.file, "the tensor rope_factors_long.weight is missing");
      return {
        type,
        theta,
        shortFactors: undefined,
        longFactors: undefined,
        originalMaxPositions: original,
        attentionFactor: attention,
      };
    default:
      reader.unsupported("rope.scaling.type", type);
  }
}
