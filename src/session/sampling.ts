/** From logits to the next token: greedy, or drawn with temperature, top-k, top-p and min-p from a seed. */
import { ArgumentError } from "../errors.ts";
import { show } from "../show.ts";

/** How tokens are drawn. Without a temperature the likeliest is taken. */
export interface SamplingOptions {
  /** 0 (default) takes the likeliest token; higher draws more evenly. */
  readonly temperature?: number | undefined;
  /** Draws among so many of the likeliest tokens; default all. */
  readonly topK?: number | undefined;
  /** Draws among the likeliest tokens that together reach this probability; default 1. */
  readonly topP?: number | undefined;
  /** Draws among tokens at least this many times as likely as the likeliest; default 0. */
  readonly minP?: number | undefined;
  /** The same seed draws the same tokens; default 0. */
  readonly seed?: number | undefined;
}

/** The names of the options. */
export const SAMPLING_OPTIONS = ["temperature", "topK", "topP", "minP", "seed"] as const;

/** Draws one token after another. */
export type Sampler = (logits: Float32Array) => number;

/** @throws ArgumentError for an option outside its range */
export function createSampler(options: SamplingOptions = {}): Sampler {
  const { temperature = 0, topK = Number.POSITIVE_INFINITY, topP = 1, minP = 0, seed = 0 } = options;
  check("temperature", temperature, (value) => value >= 0 && Number.isFinite(value));
  check("topK", topK, (value) => value >= 1 && (Number.isInteger(value) || value === Number.POSITIVE_INFINITY));
  check("topP", topP, (value) => value > 0 && value <= 1);
  check("minP", minP, (value) => value >= 0 && value <= 1);
  check("seed", seed, Number.isInteger);
  if (temperature === 0) return likeliest;
  const random = mulberry32(seed);
  return (logits) => draw(logits, temperature, topK, topP, minP, random());
}

/** Index of the highest logit, the lowest on ties. */
export function likeliest(logits: Float32Array): number {
  let best = 0;
  for (let token = 1; token < logits.length; token++) if (logits[token]! > logits[best]!) best = token;
  return best;
}

function draw(
  logits: Float32Array,
  temperature: number,
  topK: number,
  topP: number,
  minP: number,
  random: number,
): number {
  const largest = logits[likeliest(logits)]!;
  const candidates: { token: number; weight: number }[] = [];
  // Weights relative to the likeliest token's, which are 1.
  for (const [token, logit] of logits.entries()) {
    const weight = Math.exp((logit - largest) / temperature);
    if (weight >= minP && weight > 0) candidates.push({ token, weight });
  }
  candidates.sort((a, b) => b.weight - a.weight || a.token - b.token);
  const shortlist = candidates.slice(0, topK);
  const total = shortlist.reduce((sum, { weight }) => sum + weight, 0);
  let kept = 0;
  let mass = 0;
  while (kept < shortlist.length && mass < topP * total) mass += shortlist[kept++]!.weight;
  let remaining = random * mass;
  for (const { token, weight } of shortlist.slice(0, kept)) {
    remaining -= weight;
    if (remaining < 0) return token;
  }
  return shortlist[kept - 1]!.token;
}

function check(name: string, value: unknown, valid: (value: number) => boolean): void {
  if (typeof value !== "number" || !valid(value)) throw new ArgumentError(`${name} cannot be ${show(value)}`);
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
