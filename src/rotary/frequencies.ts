/** Rotary position embedding (Su et al. 2021, arXiv 2104.09864): inverse frequencies of every variant. */

/** What a model says of its rotary embedding; names as in Hugging Face's `rope_parameters`. */
export type RotaryConfig =
  | { readonly type: "default"; readonly theta: number; readonly attentionFactor?: number }
  | { readonly type: "linear"; readonly theta: number; readonly factor: number; readonly attentionFactor?: number }
  | {
      readonly type: "llama3";
      readonly theta: number;
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalMaxPositions: number;
    }
  | {
      readonly type: "yarn";
      readonly theta: number;
      readonly factor: number;
      readonly originalMaxPositions: number;
      readonly betaFast: number;
      readonly betaSlow: number;
      readonly truncate: boolean;
      readonly attentionFactor: number | undefined;
      readonly mscale: number | undefined;
      readonly mscaleAllDim: number | undefined;
    }
  | {
      readonly type: "dynamic";
      readonly theta: number;
      readonly factor: number;
      readonly maxPositions: number;
    }
  | {
      readonly type: "longrope";
      readonly theta: number;
      /** Divisors of the frequencies of texts up to `originalMaxPositions`, and of longer ones; undefined: tensors of the file. */
      readonly shortFactors: readonly number[] | undefined;
      readonly longFactors: readonly number[] | undefined;
      readonly originalMaxPositions: number;
      readonly attentionFactor: number;
    };

/** Divisors of the frequencies that come as tensors of their own, for each pair. */
export interface RotaryFactors {
  /** Before any scaling (GGUF's `rope_freqs`), as llama.cpp applies them. */
  readonly all?: ArrayLike<number> | undefined;
  /** LongRoPE's. */
  readonly short?: ArrayLike<number> | undefined;
  readonly long?: ArrayLike<number> | undefined;
}

/** The frequencies by which a head's pairs turn, and the factor on every rotated query and key. */
export interface RotaryFrequencies {
  /** [rotaryDimensions / 2], radians a position, rounded to f32 as the reference holds them; none where nothing turns. */
  readonly inverseFrequencies: Float32Array;
  /** YaRN's or LongRoPE's attention factor (already in every cached key); 1 otherwise. */
  readonly attentionFactor: number;
}

/** Whether the frequencies depend on the length of the text. */
export function isByLength({ type }: RotaryConfig): boolean {
  return type === "dynamic" || type === "longrope";
}

/**
 * By which length of text the frequencies are chosen: equal results mean equal frequencies. 0 where they are always the
 * same, or those of any short text.
 */
export function frequencyLength(config: RotaryConfig, length: number): number {
  if (config.type === "dynamic") return length > config.maxPositions ? length : 0;
  if (config.type === "longrope") return length > config.originalMaxPositions ? config.originalMaxPositions + 1 : 0;
  return 0;
}

/**
 * Inverse frequencies of the default, linear, dynamic NTK, Llama 3, YaRN (Peng et al. 2023) and LongRoPE (Ding et al.
 * 2024) variants, as transformers' `modeling_rope_utils` computes them.
 * @param dimensions rotated dimensions of a head
 * @param length tokens of the text, where they count
 */
export function rotaryFrequencies(
  config: RotaryConfig,
  dimensions: number,
  factors: RotaryFactors = {},
  length = 0,
): RotaryFrequencies {
  const theta = config.type === "dynamic" ? dynamicTheta(config, dimensions, length) : config.theta;
  const divisors = config.type === "longrope" ? longRopeFactors(config, factors, length) : factors.all;
  const base = Float32Array.from({ length: dimensions / 2 }, (_, i) =>
    Math.fround(1 / Math.fround(theta ** Math.fround((2 * i) / dimensions))),
  );
  if (divisors) for (let i = 0; i < base.length; i++) base[i]! /= divisors[i]!;
  switch (config.type) {
    case "default":
      return { inverseFrequencies: base, attentionFactor: config.attentionFactor ?? 1 };
    case "linear":
      return {
        inverseFrequencies: base.map((value) => value / config.factor),
        attentionFactor: config.attentionFactor ?? 1,
      };
    case "llama3":
      return { inverseFrequencies: base.map((value) => llama3Frequency(value, config)), attentionFactor: 1 };
    case "yarn":
      return yarnFrequencies(base, dimensions, config);
    case "dynamic":
      return { inverseFrequencies: base, attentionFactor: 1 };
    case "longrope":
      return { inverseFrequencies: base, attentionFactor: config.attentionFactor };
  }
}

function dynamicTheta(
  { theta, factor, maxPositions }: Extract<RotaryConfig, { type: "dynamic" }>,
  dimensions: number,
  length: number,
): number {
  const stretch = (factor * Math.max(length, maxPositions)) / maxPositions - (factor - 1);
  return theta * stretch ** (dimensions / (dimensions - 2));
}

function longRopeFactors(
  { shortFactors, longFactors, originalMaxPositions }: Extract<RotaryConfig, { type: "longrope" }>,
  factors: RotaryFactors,
  length: number,
): ArrayLike<number> | undefined {
  // llama.cpp has factors for all lengths go before these.
  return (
    factors.all ?? (length > originalMaxPositions ? (longFactors ?? factors.long) : (shortFactors ?? factors.short))
  );
}

/** LongRoPE's factor on queries and keys where a model does not give its own. */
export function longRopeAttentionFactor(factor: number, originalMaxPositions: number): number {
  return factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalMaxPositions));
}

function llama3Frequency(value: number, config: Extract<RotaryConfig, { type: "llama3" }>): number {
  const wavelength = (2 * Math.PI) / value;
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalMaxPositions: original } = config;
  if (wavelength > original / low) return value / factor;
  if (wavelength < original / high) return value;
  const smooth = (original / wavelength - low) / (high - low);
  return ((1 - smooth) * value) / factor + smooth * value;
}

function yarnFrequencies(
  base: Float32Array,
  dimensions: number,
  config: Extract<RotaryConfig, { type: "yarn" }>,
): RotaryFrequencies {
  const { theta, factor, originalMaxPositions, betaFast, betaSlow, truncate } = config;
  const dimensionOf = (rotations: number) =>
    (dimensions * Math.log(originalMaxPositions / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  let low = dimensionOf(betaFast);
  let high = dimensionOf(betaSlow);
  if (truncate) {
    low = Math.floor(low);
    high = Math.ceil(high);
  }
  low = Math.max(low, 0);
  high = Math.min(high, dimensions - 1);
  const width = high === low ? 0.001 : high - low;
  const inverseFrequencies = base.map((value, i) => {
    const ramp = Math.min(1, Math.max(0, (i - low) / width));
    return (value / factor) * ramp + value * (1 - ramp);
  });
  return { inverseFrequencies, attentionFactor: config.attentionFactor ?? yarnAttentionFactor(config) };
}

/** YaRN's factor on queries and keys where a model does not give its own. */
export function yarnAttentionFactor({
  factor,
  mscale,
  mscaleAllDim,
}: {
  readonly factor: number;
  readonly mscale?: number | undefined;
  readonly mscaleAllDim?: number | undefined;
}): number {
  const scaled = (multiplier: number) => (factor <= 1 ? 1 : 0.1 * multiplier * Math.log(factor) + 1);
  return mscale && mscaleAllDim ? scaled(mscale) / scaled(mscaleAllDim) : scaled(1);
}
