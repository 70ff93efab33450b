/** What a model is: its sizes and constants, whatever kind of file they were read from, and what they must be. */
import { FormatError } from "../errors.ts";
import type { RotaryConfig } from "../rotary/frequencies.ts";
import { show } from "../show.ts";

/** The decoder's sizes; names as in Hugging Face's config.json, in camel case. */
export interface ModelConfig {
  readonly architecture: "llama";
  readonly vocabularySize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly layers: number;
  readonly queryHeads: number;
  readonly kvHeads: number;
  readonly headSize: number;
  /** The model's window: positions it was trained on. */
  readonly maxPositions: number;
  readonly normEpsilon: number;
  readonly rotary: RotaryConfig;
  /** Whether the output layer is the embedding table. */
  readonly tiedEmbeddings: boolean;
  /** Whether biases are added to queries, keys, values and what attention gives; in a GGUF perhaps to some of them. */
  readonly attentionBias: boolean;
  /** The same of the feed-forward layers. */
  readonly mlpBias: boolean;
}

/** Looks a value up by its name in the file; undefined where the file does not say. */
type Lookup = (key: string) => unknown;

/** Reads values of the right kind out of a file, or says which is missing or wrong. */
export class ConfigReader {
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
    if (typeof value !== "number" || !Number.isFinite(value) || value <= 0)
      this.refuse(key, "a positive number", value);
    return value;
  }

  /** A positive integer up to 2^31, or the fallback where the file does not say. */
  count(key: string, fallback?: number): number {
    const value = this.number(key, fallback);
    if (!Number.isInteger(value) || value > 2 ** 31) this.refuse(key, "a whole number", value);
    return value;
  }

  flag(key: string, fallback: boolean): boolean {
    const value = this.value(key) ?? fallback;
    if (typeof value !== "boolean") this.refuse(key, "true or false", value);
    return value;
  }

  optionalNumber(key: string): number | undefined {
    return this.value(key) === undefined ? undefined : this.number(key);
  }

  /** @throws FormatError always */
  refuse(key: string, wanted: string, value: unknown): never {
    throw new FormatError(this.file, `${key} should be ${wanted} and is ${show(value)}`);
  }
}

/** @throws FormatError for sizes that do not fit together */
export function checkedConfig(file: string, config: ModelConfig): ModelConfig {
  const { queryHeads, kvHeads, headSize } = config;
  if (queryHeads % kvHeads !== 0) {
    throw new FormatError(file, `${queryHeads} query heads do not share ${kvHeads} KV heads evenly`);
  }
  if (headSize % 2 !== 0) {
    throw new FormatError(file, `a head size of ${headSize} is not supported: its dimensions turn in pairs`);
  }
  return config;
}
