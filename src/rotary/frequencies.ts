/** Rotary position embedding: inverse frequencies of every variant, and rows of cosines and sines in the core's memory. */
import type { Core } from "../core/core.ts";

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

/** Positions up to which the rows are kept for good: 2 MB for heads of 64. */
const KEPT_POSITIONS = 8192;
/** Rows are made so many at a time, so that decoding does not make them anew for every token. */
const STEP = 256;

function roundUp(count: number): number {
  return Math.ceil(count / STEP) * STEP;
}

/**
 * Rows of cosines and sines in the core's memory, one for each position: [half] cosines, then [half] sines, f32.
 * Angles are formed in f64, so that re-rotation by a distance agrees with rotation to a place within f32's rounding.
 */
export class RotationRows {
  readonly #core: Core;
  readonly #frequencies: Float32Array;
  readonly #rowBytes: number;
  /** Rows of the positions 0, 1, 2, ... */
  #kept = { pointer: 0, count: 0 };
  /** Rows of a stretch of positions beyond those. */
  #window = { pointer: 0, capacity: 0, first: 0, count: 0 };

  constructor(core: Core, frequencies: RotaryFrequencies) {
    this.#core = core;
    this.#frequencies = frequencies.inverseFrequencies;
    this.#rowBytes = frequencies.inverseFrequencies.length * 8;
  }

  /** Pairs of dimensions that turn. */
  get half(): number {
    return this.#frequencies.length;
  }

  /** Address of the rows of the positions 0 to count - 1; valid until the next call. */
  fromZero(count: number): number {
    if (count > this.#kept.count) {
      const capacity = Math.max(roundUp(count), Math.min(2 * this.#kept.count, KEPT_POSITIONS));
      const pointer = this.#core.allocate(capacity * this.#rowBytes);
      if (this.#kept.pointer) this.#core.free(this.#kept.pointer);
      this.#kept = { pointer, count: capacity };
      this.#fill(pointer, 0, capacity);
    }
    return this.#kept.pointer;
  }

  /** Rows of the positions `first` to first + count - 1: the address of the row of position `base`. Valid until the next call. */
  around(first: number, count: number): { pointer: number; base: number } {
    if (first + count <= KEPT_POSITIONS) return { pointer: this.fromZero(first + count), base: 0 };
    if (this.#window.capacity < count) {
      if (this.#window.pointer) this.#core.free(this.#window.pointer);
      this.#window = { pointer: 0, capacity: 0, first: 0, count: 0 };
      const capacity = roundUp(count);
      this.#window = { pointer: this.#core.allocate(capacity * this.#rowBytes), capacity, first: 0, count: 0 };
    }
    const window = this.#window;
    if (first < window.first || first + count > window.first + window.count) {
      window.first = first;
      window.count = window.capacity;
      this.#fill(window.pointer, first, window.capacity);
    }
    return { pointer: window.pointer, base: window.first };
  }

  dispose(): void {
    for (const { pointer } of [this.#kept, this.#window]) if (pointer) this.#core.free(pointer);
    this.#kept = { pointer: 0, count: 0 };
    this.#window = { pointer: 0, capacity: 0, first: 0, count: 0 };
  }

  #fill(pointer: number, first: number, count: number): void {
    const half = this.half;
    const rows = this.#core.f32(pointer, count * half * 2);
    for (let row = 0; row < count; row++) {
      for (let i = 0; i < half; i++) {
        const angle = (first + row) * this.#frequencies[i]!;
        rows[row * half * 2 + i] = Math.cos(angle);
        rows[row * half * 2 + half + i] = Math.sin(angle);
      }
    }
  }
}
