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
    };

/** The frequencies by which a head's pairs turn, and the factor on every rotated query and key. */
export interface RotaryFrequencies {
  /** [rotaryDimensions / 2], radians a position, rounded to f32 as the reference holds them. */
  readonly inverseFrequencies: Float32Array;
  /** YaRN's attention factor (already in every cached key); 1 otherwise. */
  readonly attentionFactor: number;
}

/**
 * Inverse frequencies of the default, linear, Llama 3 and YaRN (Peng et al. 2023) variants, as transformers'
 * `modeling_rope_utils` computes them.
 * @param dimensions rotated dimensions of a head
 * @param factors divisors of the frequencies before any scaling (GGUF's `rope_freqs`), as llama.cpp applies them
 */
export function rotaryFrequencies(
  config: RotaryConfig,
  dimensions: number,
  factors?: Float32Array | undefined,
): RotaryFrequencies {
  const base = Float32Array.from({ length: dimensions / 2 }, (_, i) =>
    Math.fround(1 / Math.fround(config.theta ** Math.fround((2 * i) / dimensions))),
  );
  if (factors) for (const [i, factor] of factors.entries()) base[i]! /= factor;
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
  }
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
