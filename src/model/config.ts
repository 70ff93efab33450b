/** What a model is: its sizes and constants, read from config.json or from a GGUF's metadata and checked. */
import { FormatError } from "../errors.ts";
import type { RotaryConfig } from "./rotary.ts";

/** The decoder's sizes; names as in Hugging Face's config.json, in camel case. */
export interface ModelConfig {
  readonly architecture: "llama";
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly queryHeads: number;
  readonly keyHeads: number;
  readonly headSize: number;
  /** The model's window: positions it was trained on. */
  readonly maxPositions: number;
  readonly normEpsilon: number;
  readonly rotary: RotaryConfig;
  /** Whether the output layer is the embedding table. */
  readonly tiedEmbeddings: boolean;
}

/** Looks a value up by its name in the file; undefined where the file does not say. */
type Lookup = (key: string) => unknown;

/** Reads values of the right kind out of a file, or says which is missing or wrong. */
class Reader {
  readonly file: string;
  readonly #lookup: Lookup;

  constructor(file: string, lookup: Lookup) {
    this.file = file;
    this.#lookup = lookup;
  }

  value(key: string): unknown {
    const value = this.#lookup(key);
    return value === null ? undefined : typeof value === "bigint" ? Number(value) : value;
  }

  /** A positive number, or the fallback where the file does not say. */
  number(key: string, fallback?: number): number {
    const value = this.value(key) ?? fallback;
    if (typeof value !== "number" || !Number.isFinite(value) || value <= 0) {
      throw new FormatError(this.file, `${key} should be a positive number and is ${JSON.stringify(value)}`);
    }
    return value;
  }

  /** A positive integer up to 2^31, or the fallback where the file does not say. */
  count(key: string, fallback?: number): number {
    const value = this.number(key, fallback);
    if (!Number.isInteger(value) || value > 2 ** 31) {
      throw new FormatError(this.file, `${key} should be a whole number and is ${value}`);
    }
    return value;
  }

  optionalNumber(key: string): number | undefined {
    return this.value(key) === undefined ? undefined : this.number(key);
  }
}

/**
 * Reads Hugging Face's config.json.
 * @throws FormatError for a missing or impossible value, or an architecture or feature that is not supported
 */
export function configFromJson(json: Record<string, unknown>, file: string): ModelConfig {
  const reader = new Reader(file, (key) => json[key]);
  const kind = reader.value("model_type");
  if (kind !== "llama") throw new FormatError(file, `model_type ${JSON.stringify(kind)} is not supported (llama is)`);
  for (const key of ["attention_bias", "mlp_bias"]) {
    if (reader.value(key)) throw new FormatError(file, `${key} is not supported`);
  }
  const activation = reader.value("hidden_act") ?? "silu";
  if (activation !== "silu") throw new FormatError(file, `hidden_act ${JSON.stringify(activation)} is not supported`);
  const hiddenSize = reader.count("hidden_size");
  const queryHeads = reader.count("num_attention_heads");
  const maxPositions = reader.count("max_position_embeddings", 2048);
  const rotary = reader.value("rope_parameters") ?? reader.value("rope_scaling") ?? {};
  if (typeof rotary !== "object") throw new FormatError(file, "rope_parameters should be an object");
  const rotaryValues = rotary as Record<string, unknown>;
  return checked(file, {
    architecture: "llama",
    vocabularySize: reader.count("vocab_size"),
    hiddenSize,
    intermediateSize: reader.count("intermediate_size"),
    layers: reader.count("num_hidden_layers"),
    queryHeads,
    keyHeads: reader.count("num_key_value_heads", queryHeads),
    headSize: reader.count("head_dim", hiddenSize / queryHeads),
    maxPositions,
    normEpsilon: reader.number("rms_norm_eps", 1e-6),
    rotary: rotaryFromJson(new Reader(file, (key) => rotaryValues[key] ?? json[key]), maxPositions),
    tiedEmbeddings: reader.value("tie_word_embeddings") === true,
  });
}

function rotaryFromJson(reader: Reader, maxPositions: number): RotaryConfig {
  const type: unknown = reader.value("rope_type") ?? reader.value("type") ?? "default";
  const theta = reader.number("rope_theta", 10000);
  const original = () => reader.count("original_max_position_embeddings", maxPositions);
  switch (type) {
    case "default":
      return { type, theta };
    case "linear":
      return { type, theta, factor: reader.number("factor") };
    case "llama3":
      return {
        type,
        theta,
        factor: reader.number("factor"),
        lowFrequencyFactor: reader.number("low_freq_factor"),
        highFrequencyFactor: reader.number("high_freq_factor"),
        originalMaxPositions: original(),
      };
    case "yarn":
      return {
        type,
        theta,
        factor: reader.number("factor", maxPositions / original()),
        originalMaxPositions: original(),
        betaFast: reader.number("beta_fast", 32),
        betaSlow: reader.number("beta_slow", 1),
        truncate: reader.value("truncate") !== false,
        attentionFactor: reader.optionalNumber("attention_factor"),
        mscale: reader.optionalNumber("mscale"),
        mscaleAllDim: reader.optionalNumber("mscale_all_dim"),
      };
    default:
      throw new FormatError(reader.file, `rope type ${JSON.stringify(type)} is not supported`);
  }
}

/**
 * Reads a GGUF's metadata.
 * @param vocabularySize rows of the embedding table: older files do not say it
 * @param tiedEmbeddings whether the file has no output tensor
 * @throws FormatError for a missing or impossible value, or an architecture that is not supported
 */
export function configFromGguf(
  metadata: Lookup,
  file: string,
  vocabularySize: number,
  tiedEmbeddings: boolean,
): ModelConfig {
  const kind = metadata("general.architecture");
  if (kind !== "llama") throw new FormatError(file, `architecture ${JSON.stringify(kind)} is not supported (llama is)`);
  const reader = new Reader(file, (key) => metadata(`llama.${key}`));
  const hiddenSize = reader.count("embedding_length");
  const queryHeads = reader.count("attention.head_count");
  return checked(file, {
    architecture: "llama",
    vocabularySize,
    hiddenSize,
    intermediateSize: reader.count("feed_forward_length"),
    layers: reader.count("block_count"),
    queryHeads,
    keyHeads: reader.count("attention.head_count_kv", queryHeads),
    headSize: reader.count("attention.key_length", hiddenSize / queryHeads),
    maxPositions: reader.count("context_length"),
    normEpsilon: reader.number("attention.layer_norm_rms_epsilon"),
    rotary: rotaryFromGguf(reader),
    tiedEmbeddings,
  });
}

function rotaryFromGguf(reader: Reader): RotaryConfig {
  const theta = reader.number("rope.freq_base", 10000);
  const type = reader.value("rope.scaling.type") ?? "none";
  if (type === "none") return { type: "default", theta };
  const factor = reader.number("rope.scaling.factor", 1);
  if (type === "linear") return { type, theta, factor };
  throw new FormatError(reader.file, `rope scaling ${JSON.stringify(type)} is not supported`);
}

function checked(file: string, config: ModelConfig): ModelConfig {
  const { queryHeads, keyHeads, headSize, hiddenSize, intermediateSize } = config;
  if (queryHeads % keyHeads !== 0) {
    throw new FormatError(file, `${queryHeads} query heads do not share ${keyHeads} KV heads evenly`);
  }
  if (headSize % 16 !== 0)
    throw new FormatError(file, `a head size of ${headSize} is not supported (multiples of 16 are)`);
  for (const size of [hiddenSize, intermediateSize]) {
    if (size % 8 !== 0) throw new FormatError(file, `a width of ${size} is not supported (multiples of 8 are)`);
  }
  return config;
}
