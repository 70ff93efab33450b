/** From logits to the next token: the likeliest, or one drawn from a seed, after biases and penalties. */
import { ArgumentError } from "../errors.ts";
import type { GenerationDefaults } from "../model/generation-config.ts";
import { checkOptions } from "../options.ts";
import { show } from "../show.ts";
import { type DryOptions, type DrySettings, Penalties, type PenaltySettings } from "./penalties.ts";
import { exponential, logarithm } from "./portable-math.ts";
import { type ShortlistSettings, shortlist } from "./shortlist.ts";

/**
 * How tokens are drawn. What is not given is what the model's generation_config says, and else what the default here says: without any
 * temperature the likeliest token is taken. Biases come first, then penalties, temperature, top-k, top-p, min-p and typical.
 */
export interface SamplingOptions {
  /** 0 (default) takes the likeliest token; higher draws more evenly. */
  readonly temperature?: number | undefined;
  /** Draws among so many of the likeliest tokens; default all. */
  readonly topK?: number | undefined;
  /** Draws among the likeliest tokens that together reach this probability; default 1. */
  readonly topP?: number | undefined;
  /** Draws among tokens at least this many times as likely as the likeliest; default 0. */
  readonly minP?: number | undefined;
  /** Draws among the tokens nearest to the expected surprise that together reach this probability (Meister et al. 2022); default 1. */
  readonly typicalP?: number | undefined;
  /** Divides the logits, or multiplies negative ones, of tokens that the prompt or the answer holds (Keskar et al. 2019); default 1. */
  readonly repetitionPenalty?: number | undefined;
  /** Taken off the logits of tokens that the answer holds, in nats; default 0. */
  readonly presencePenalty?: number | undefined;
  /** The same for each time that the answer holds them; default 0. */
  readonly frequencyPenalty?: number | undefined;
  /** Makes what would go on repeating earlier text less likely; default off. */
  readonly dry?: DryOptions | undefined;
  /** Added to the logits of single tokens, by token id; -Infinity forbids one. */
  readonly logitBias?: Readonly<Record<number, number>> | ReadonlyMap<number, number> | undefined;
  /** The same seed draws the same tokens, on every runtime where the logits are the same; default 0. */
  readonly seed?: number | undefined;
}

/** The names of the options. */
export const SAMPLING_OPTIONS = [
  "temperature",
  "topK",
  "topP",
  "minP",
  "typicalP",
  "repetitionPenalty",
  "presencePenalty",
  "frequencyPenalty",
  "dry",
  "logitBias",
  "seed",
] as const;

const DRY_OPTIONS = ["multiplier", "base", "allowedLength", "sequenceBreakers"] as const;
const SEQUENCE_BREAKERS = ["\n", ":", '"', "*"];

/** What sampling needs of a model. */
export interface SamplingModel {
  readonly vocabularySize: number;
  readonly defaults?: GenerationDefaults | undefined;
  /** The text of a token, for DRY. */
  textOf(token: number): string;
}

/** Options that have been checked. */
export interface SamplingSettings {
  readonly shortlist: ShortlistSettings;
  readonly penalties: PenaltySettings;
  readonly seed: number;
  readonly textOf: (token: number) => string;
}

/** @throws ArgumentError for an option outside its range */
export function checkedSampling(options: SamplingOptions, model: SamplingModel): SamplingSettings {
  const { defaults = {} } = model;
  const given = (name: keyof GenerationDefaults, otherwise: number) => options[name] ?? defaults[name] ?? otherwise;
  const settings = {
    temperature: given("temperature", 0),
    topK: given("topK", Number.POSITIVE_INFINITY),
    topP: given("topP", 1),
    minP: given("minP", 0),
    typicalP: given("typicalP", 1),
    repetitionPenalty: given("repetitionPenalty", 1),
    presencePenalty: options.presencePenalty ?? 0,
    frequencyPenalty: options.frequencyPenalty ?? 0,
    seed: options.seed ?? 0,
  };
  check("temperature", settings.temperature, (value) => value >= 0 && Number.isFinite(value));
  check(
    "topK",
    settings.topK,
    (value) => value >= 1 && (Number.isInteger(value) || value === Number.POSITIVE_INFINITY),
  );
  check("topP", settings.topP, (value) => value > 0 && value <= 1);
  check("minP", settings.minP, (value) => value >= 0 && value <= 1);
  check("typicalP", settings.typicalP, (value) => value > 0 && value <= 1);
  check("repetitionPenalty", settings.repetitionPenalty, (value) => value > 0 && Number.isFinite(value));
  check("presencePenalty", settings.presencePenalty, Number.isFinite);
  check("frequencyPenalty", settings.frequencyPenalty, Number.isFinite);
  check("seed", settings.seed, Number.isInteger);
  const { repetitionPenalty, presencePenalty, frequencyPenalty, seed, ...cuts } = settings;
  const logitBias = checkedBias(options.logitBias, model.vocabularySize);
  const dry = checkedDry(options.dry);
  return {
    shortlist: cuts,
    penalties: { repetitionPenalty, presencePenalty, frequencyPenalty, dry, logitBias },
    seed,
    textOf: (token) => model.textOf(token),
  };
}

/** Draws one token of an answer after another. */
export class Sampler {
  readonly #shortlist: ShortlistSettings;
  readonly #penalties: Penalties;
  readonly #random: () => number;

  /** @param prompt tokens before the answer */
  constructor({ shortlist, penalties, seed, textOf }: SamplingSettings, prompt: ArrayLike<number> = []) {
    this.#shortlist = shortlist;
    this.#penalties = new Penalties(penalties, prompt, textOf);
    this.#random = mulberry32(seed);
  }

  /**
   * The next token of the answer, which is taken to stand in it from now on.
   * @param logits [vocabulary]; left as they are
   * @throws ArgumentError where every token is forbidden
   */
  next(logits: Float32Array): number {
    const changed = logits.slice();
    this.#penalties.apply(changed);
    const token = this.#draw(changed);
    this.#penalties.push(token);
    return token;
  }

  #draw(logits: Float32Array): number {
    if (this.#shortlist.temperature === 0) {
      const token = likeliest(logits);
      if (logits[token] === Number.NEGATIVE_INFINITY) throw nothingAllowed();
      return token;
    }
    const candidates = shortlist(logits, this.#shortlist);
    let remaining = this.#random() * candidates.reduce((sum, { weight }) => sum + weight, 0);
    for (const { token, weight } of candidates) {
      remaining -= weight;
      if (remaining < 0) return token;
    }
    const last = candidates.at(-1);
    if (!last) throw nothingAllowed();
    return last.token;
  }
}

/** Index of the highest logit, the lowest on ties. */
export function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let token = 1; token < logits.length; token++) if (logits[token]! > logits[best]!) best = token;
  return best;
}

/** A token and the logarithm of the probability that the model gave it, before biases, penalties and temperature. */
export interface TokenProbability {
  readonly token: number;
  /** In nats. */
  readonly logProbability: number;
}

/**
 * @param logits [vocabulary]
 * @param token the one that was drawn
 * @param count how many of the likeliest tokens are to be told
 * @returns its probability, and those of the likeliest tokens, the likeliest first
 */
export function logProbabilities(
  logits: Float32Array,
  token: number,
  count: number,
): TokenProbability & { readonly alternatives: readonly TokenProbability[] } {
  const largest = logits[likeliest(logits)]!;
  let sum = 0;
  for (let each = 0; each < logits.length; each++) sum += exponential(logits[each]! - largest);
  const normaliser = largest + logarithm(sum);
  const best: number[] = [];
  for (let each = 0; each < logits.length; each++) {
    if (best.length === count && !(logits[each]! > logits[best[count - 1]!]!)) continue;
    let place = best.length;
    while (place > 0 && logits[each]! > logits[best[place - 1]!]!) place--;
    best.splice(place, 0, each);
    best.length = Math.min(best.length, count);
  }
  const told = (each: number) => ({ token: each, logProbability: logits[each]! - normaliser });
  return { ...told(token), alternatives: best.map(told) };
}

function nothingAllowed(): ArgumentError {
  return new ArgumentError("logitBias forbids every token");
}

function check(name: string, value: unknown, valid: (value: number) => boolean): void {
  if (typeof value !== "number" || !valid(value)) throw new ArgumentError(`${name} cannot be ${show(value)}`);
}

/** @throws ArgumentError for tokens outside the vocabulary, and biases that are no numbers */
function checkedBias(given: unknown, vocabularySize: number): ReadonlyMap<number, number> {
  const biases = new Map<number, number>();
  if (given === undefined) return biases;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ArgumentError(`logitBias should give numbers by token id and is ${show(given)}`);
  }
  for (const [key, bias] of given instanceof Map ? given : Object.entries(given)) {
    const token = Number(key);
    if (!Number.isInteger(token) || token < 0 || token >= vocabularySize) {
      throw new ArgumentError(
        `logitBias names token ${show(key)}, and the vocabulary goes from 0 to ${vocabularySize - 1}`,
      );
    }
    if (typeof bias !== "number" || Number.isNaN(bias) || bias === Number.POSITIVE_INFINITY) {
      throw new ArgumentError(`logitBias of token ${token} cannot be ${show(bias)}`);
    }
    biases.set(token, bias);
  }
  return biases;
}

/** @throws ArgumentError for settings that cannot be */
function checkedDry(given: DryOptions | undefined): DrySettings | undefined {
  if (given === undefined) return undefined;
  checkOptions(given, DRY_OPTIONS, "dry");
  const { multiplier, base = 1.75, allowedLength = 2, sequenceBreakers = SEQUENCE_BREAKERS } = given;
  check("dry.multiplier", multiplier, (value) => value >= 0 && Number.isFinite(value));
  check("dry.base", base, (value) => value >= 1 && Number.isFinite(value));
  check("dry.allowedLength", allowedLength, (value) => value >= 1 && Number.isInteger(value));
  const isText = (value: unknown) => typeof value === "string" && value !== "";
  if (!Array.isArray(sequenceBreakers) || !sequenceBreakers.every(isText)) {
    throw new ArgumentError(`dry.sequenceBreakers should be a list of texts and is ${show(sequenceBreakers)}`);
  }
  return { multiplier, base, allowedLength, sequenceBreakers };
}

/** Tommy Ettinger's mulberry32: a small generator of numbers in [0, 1). */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
