/** How the sizes of a model are held in the core's memory, whose kernels want heads and widths in multiples of 32. */
import { type Axis, packedSizeOf, sizeOf } from "../core/axis.ts";
import type { ModelConfig } from "./config.ts";

/** The blocks in which weights, activations and 8-bit caches share a scale. */
const BLOCK = 32;

/** The axes of a model's tensors. What is padded is zero in weights, activations and cache, and so changes no sum. */
export interface Layout {
  readonly vocabulary: Axis;
  /** A row of hidden states. */
  readonly width: Axis;
  readonly feedForward: Axis;
  /** Queries and keys: dimensions that turn come first in each half of a head. */
  readonly queryHeads: Axis;
  readonly kvHeads: Axis;
  /** One head of them: each half is padded by itself, so that dimension i still turns with the one half a head further on. */
  readonly head: Axis;
  /** Values, and what attention makes of them, which do not turn. */
  readonly attendedHeads: Axis;
  readonly valueHeads: Axis;
  readonly valueHead: Axis;
  /** A number for each pair of dimensions that turns; not padded. */
  readonly pairs: Axis;
}

/** The axes of a model. Models whose sizes are multiples of 32 have no padding. */
export function layoutOf(config: ModelConfig): Layout {
  const { vocabularySize, hiddenSize, intermediateSize, queryHeads, kvHeads, headSize, rotaryDimensions } = config;
  const half = { length: headSize / 2, packedLength: roundUp(headSize) / 2 };
  const turning = { ...half, turning: rotaryDimensions < headSize ? rotaryDimensions / 2 : undefined };
  const whole = (length: number) => ({ runs: 1, length, packedLength: roundUp(length) });
  const plain = (length: number) => ({ runs: 1, length, packedLength: length });
  return {
    vocabulary: plain(vocabularySize),
    width: whole(hiddenSize),
    feedForward: whole(intermediateSize),
    queryHeads: { runs: 2 * queryHeads, ...turning },
    kvHeads: { runs: 2 * kvHeads, ...turning },
    head: { runs: 2, ...turning },
    attendedHeads: { runs: 2 * queryHeads, ...half },
    valueHeads: { runs: 2 * kvHeads, ...half },
    valueHead: { runs: 2, ...half },
    pairs: plain(rotaryDimensions / 2),
  };
}

/**
 * What to change in an RMS norm that runs over a padded row, where the mean is that much too small: the factor of its
 * weight, and that of its epsilon.
 */
export function normCorrection(row: Axis): { weight: number; epsilon: number } {
  const part = sizeOf(row) / packedSizeOf(row);
  return { weight: Math.sqrt(part), epsilon: part };
}

function roundUp(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}
