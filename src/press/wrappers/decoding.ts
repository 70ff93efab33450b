/** Compression while decoding: any layer press, every so many passes. */

import { ArgumentError } from "../../errors.ts";
import { countTarget, type Target } from "../budget.ts";
import type { LayerPress, ModelEntries, PassPress, PressSteps, StepsPress } from "../press.ts";
import { checkWhole, checkWithin } from "../tools/check.ts";
import { selectAll } from "../tools/choose.ts";

/** Settings of the press. */
export interface DecodingOptions {
  /** Passes from one compression to the next: tokens decoded, or texts read at once. */
  readonly compressionInterval?: number;
  /** Entries that every head keeps. */
  readonly targetSize?: number;
}

/**
 * Nothing is dropped from the text that the press comes with; then every `compressionInterval` passes the cache is brought
 * back to `targetSize` entries a head. A pass of `targetSize` tokens or more is compressed at once.
 * @throws ArgumentError for settings that cannot be, and a press that looks at more than keys, values and positions
 */
export function decoding(press: LayerPress, options: DecodingOptions = {}): StepsPress {
  const { compressionInterval = 512, targetSize = 2048 } = options;
  checkWhole({ compressionInterval, targetSize }, 1);
  return everySoOften("decoding", press, compressionInterval, () => targetSize);
}

/** Settings of the press. */
export interface CompressionRatioDecodingOptions {
  /** Passes from one compression to the next. */
  readonly compressionInterval?: number;
  /** The part of all tokens seen that is removed. */
  readonly targetCompressionRatio?: number;
}

/**
 * As `decoding`, but the cache keeps a part of all tokens seen so far.
 * @throws ArgumentError as `decoding`
 */
export function compressionRatioDecoding(press: LayerPress, options: CompressionRatioDecodingOptions = {}): StepsPress {
  const { compressionInterval = 512, targetCompressionRatio = 0.5 } = options;
  checkWhole({ compressionInterval }, 1);
  checkWithin({ targetCompressionRatio }, 0, 1 - Number.EPSILON);
  return everySoOften("compressionratiodecoding", press, compressionInterval, (entries) =>
    Math.max(1, Math.trunc(tokensSeen(entries) * (1 - targetCompressionRatio))),
  );
}

/** A press for the text that it comes with, and one for what follows. */
export interface PrefillDecodingOptions {
  readonly prefillingPress: PassPress;
  readonly decodingPress: StepsPress;
}

/** Compresses the text with one press, within the budget given, and goes on with another. */
export function prefillDecoding({ prefillingPress, decodingPress }: PrefillDecodingOptions): StepsPress {
  const rows = Math.max(prefillingPress.needs?.queryRows ?? 0, decodingPress.needs?.queryRows ?? 0);
  const begin = (steps: PressSteps, started: boolean): PressSteps => ({
    step: (entries, target, count) => {
      if (started) return steps.step(entries, target, count);
      started = true;
      // The other press should know that its session has begun, whatever it would do.
      steps.step(entries, target, count);
      return selectAll(prefillingPress, entries, target);
    },
    fork: () => begin(steps.fork(), started),
  });
  return {
    kind: "steps",
    name: `${prefillingPress.name}, then ${decodingPress.name}`,
    needs: rows > 0 ? { queryRows: rows } : undefined,
    ownBudget: prefillingPress.ownBudget,
    least: prefillingPress.least,
    begin: () => begin(decodingPress.begin(), false),
  };
}

/** Tokens that the session has read. */
function tokensSeen(entries: ModelEntries): number {
  return entries.layers[0]!.positions(0).at(-1)! + 1;
}

function everySoOften(
  name: string,
  press: LayerPress,
  interval: number,
  size: (entries: ModelEntries) => number,
): StepsPress {
  if (press.needs) throw new ArgumentError(`The ${name} press cannot go by ${press.name}, which looks at queries`);
  const begin = (passes: number): PressSteps => ({
    step: (entries, _target: Target, rows) => {
      if (passes++ === 0) return undefined;
      const count = size(entries);
      if (passes - 1 < interval && rows < count) return undefined;
      passes = 1;
      return selectAll(press, entries, countTarget(count));
    },
    fork: () => begin(passes),
  });
  return { kind: "steps", name: `${name} of ${press.name}`, ownBudget: true, begin: () => begin(0) };
}
