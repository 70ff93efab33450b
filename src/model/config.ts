/** What a model is: its sizes and constants, whatever kind of file they were read from, and what they must be. */
import { FormatError } from "../errors.ts";
import { show } from "../show.ts";
import type { Architecture } from "./architecture.ts";

/** The decoder's sizes and what it computes; names of sizes as in Hugging Face's config.json, in camel case. */
export interface ModelConfig extends Architecture {
  /** The family's name: `model_type` in config.json. */
  readonly architecture: string;
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
  /** Whether the output layer is the embedding table. */
  readonly tiedEmbeddings: boolean;
}

/** Looks a value up by its name in the file; undefined where the file does not say. */
type Lookup = (key: string) => unknown;

/** Reads values of the right kind out of a file, or says which is missing or wrong, and remembers which it was asked for. */
export class ConfigReader {
  readonly file: string;
  readonly #lookup: Lookup;
  readonly #prefix: string;
  readonly #read = new Set<string>();

  /** @param prefix what keys begin with in the file and in messages */
  constructor(file: string, lookup: Lookup, prefix = "") {
    this.file = file;
    this.#lookup = lookup;
    this.#prefix = prefix;
  }

  /** Undefined where the file does not say, or says null. */
  value(key: string): unknown {
    this.#read.add(key);
    const value = this.#lookup(this.#prefix + key);
    return value === null ? undefined : typeof value === "bigint" ? Number(value) : value;
  }

  /** Whether the file has the key, be its value null. */
  has(key: string): boolean {
    return this.#lookup(this.#prefix + key) !== undefined;
  }

  /** Whether the key's value was asked for. */
  wasRead(key: string): boolean {
    return this.#read.has(key);
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

  /** One of some words, or the fallback where the file does not say. */
  word<T extends string>(key: string, words: readonly T[], fallback?: T): T {
    const value = this.value(key) ?? fallback;
    const word = words.find((each) => each === value);
    if (word === undefined)
      throw new FormatError(
        this.file,
        `${this.#prefix}${key} ${show(value)} is not supported (${words.join(", ")} ${words.length > 1 ? "are" : "is"})`,
      );
    return word;
  }

  /** A list of so many entries of one kind; undefined where the file does not say. */
  list<T>(key: string, length: number, isEntry: (value: unknown) => value is T): readonly T[] | undefined {
    const value = this.value(key);
    if (value === undefined) return undefined;
    if (!Array.isArray(value) || value.length !== length || !value.every(isEntry)) {
      this.refuse(key, `a list of ${length} known values`, value);
    }
    return value;
  }

  /** Entries that a token sees; undefined where the file does not say or says nothing or 0. */
  windowOf(key: string): number | undefined {
    const value = this.value(key);
    return value === undefined || value === false || value === 0 ? undefined : this.count(key);
  }

  optionalNumber(key: string): number | undefined {
    return this.value(key) === undefined ? undefined : this.number(key);
  }

  /** @throws FormatError always: a value that is known to be none of those that are built */
  unsupported(key: string, value: unknown): never {
    throw new FormatError(this.file, `${this.#prefix}${key} = ${show(value)} is not supported`);
  }

  /** @throws FormatError always */
  refuse(key: string, wanted: string, value: unknown): never {
    throw new FormatError(this.file, `${this.#prefix}${key} should be ${wanted} and is ${show(value)}`);
  }
}

/** @throws FormatError for sizes that do not fit together */
export function checkedConfig(file: string, config: ModelConfig): ModelConfig {
  const { queryHeads, kvHeads, headSize, rotaryDimensions } = config;
  if (queryHeads % kvHeads !== 0) {
    throw new FormatError(file, `${queryHeads} query heads do not share ${kvHeads} KV heads evenly`);
  }
  if (headSize % 2 !== 0) {
    throw new FormatError(file, `a head size of ${headSize} is not supported: its dimensions turn in pairs`);
  }
  if (rotaryDimensions % 2 !== 0 || rotaryDimensions > headSize || rotaryDimensions < 2) {
    throw new FormatError(file, `${rotaryDimensions} dimensions of a head of ${headSize} cannot turn in pairs`);
  }
  return config;
}
