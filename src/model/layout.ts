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
  readonly queryHeads: Axis;
  readonly kvHeads: Axis;
  /** One head: each half is padded by itself, so that dimension i still turns with the one half a head further on. */
  readonly head: Axis;
  /** A number for each pair of a head's dimensions; not padded. */
  readonly pairs: Axis;
}

/** The axes of a model. Models whose sizes are multiples of 32 have no padding. */
export function layoutOf(config: ModelConfig): Layout {
  const { vocabularySize, hiddenSize, intermediateSize, queryHeads, kvHeads, headSize } = config;
  const half = { length: headSize / 2, packedLength: roundUp(headSize) / 2 };
  const whole = (length: number) => ({ runs: 1, length, packedLength: roundUp(length) });
  const plain = (length: number) => ({ runs: 1, length, packedLength: length });
  return {
    vocabulary: plain(vocabularySize),
    width: whole(hiddenSize),
    feedForward: whole(intermediateSize),
    queryHeads: { runs: 2 * queryHeads, ...half },
    kvHeads: { runs: 2 * kvHeads, ...half },
    head: { runs: 2, ...half },
    pairs: plain(headSize / 2),
  };
}

/**
 * What to change in an RMS norm that runs over a padded row, where the mean is that much too small: the factor of its
 * weight, and that of its epsilon.
 */
export function normCorrection({ width }: Layout): { weight: number; epsilon: number } {
  const part = sizeOf(width) / packedSizeOf(width);
  return { weight: Math.sqrt(part), epsilon: part };
}

function roundUp(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}
