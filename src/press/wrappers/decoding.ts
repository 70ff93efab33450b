/** Compression while decoding: any layer press, every so many passes. */
import { countTarget } from "../budget.ts";
import { definePress, defineWrapper, type OptionsOf } from "../define.ts";
import type { LayerPress, ModelEntries, PressSteps } from "../press.ts";
import { innerPress, removed, required, whole } from "../settings.ts";
import { joinedNeeds } from "../tools/check-press.ts";
import { selectAll } from "../tools/choose.ts";

export type DecodingOptions = OptionsOf<typeof decoding>;
export type CompressionRatioDecodingOptions = OptionsOf<typeof compressionRatioDecoding>;
export type PrefillDecodingOptions = OptionsOf<typeof prefillDecoding>;

const paper = "Compression while decoding: any layer press, every so many passes";

/**
 * Nothing is dropped from the text that the press comes with; then every `compressionInterval` passes the cache is brought
 * back to `targetSize` entries a head. A pass of `targetSize` tokens or more is compressed at once.
 */
export const decoding = defineWrapper({
  name: "decoding",
  paper,
  inner: ["score", "select"],
  cacheOnly: true,
  options: {
    /** Passes from one compression to the next: tokens decoded, or texts read at once. */
    compressionInterval: whole(512),
    /** Entries that every head keeps. */
    targetSize: whole(2048),
  },
  ownBudget: true,
  begin: (inner, { compressionInterval, targetSize }) => everySoOften(inner, compressionInterval, () => targetSize),
});

/** As `decoding`, but the cache keeps a part of all tokens seen so far. */
export const compressionRatioDecoding = defineWrapper({
  name: "compressionratiodecoding",
  paper,
  inner: ["score", "select"],
  cacheOnly: true,
  options: {
    /** Passes from one compression to the next. */
    compressionInterval: whole(512),
    /** The part of all tokens seen that is removed. */
    targetCompressionRatio: removed(0.5),
  },
  ownBudget: true,
  begin: (inner, { compressionInterval, targetCompressionRatio }) =>
    everySoOften(inner, compressionInterval, (entries) =>
      Math.max(1, Math.trunc(tokensSeen(entries) * (1 - targetCompressionRatio))),
    ),
});

/** Compresses the text with one press, within the budget given, and goes on with another. */
export const prefillDecoding = definePress({
  name: "prefilldecoding",
  paper,
  options: {
    /** For the text that it comes with. */
    prefillingPress: required(() => innerPress("score", "select", "model")),
    /** For what follows. */
    decodingPress: required(() => innerPress("steps")),
  },
  needs: ({ prefillingPress, decodingPress }) => joinedNeeds([prefillingPress, decodingPress]),
  title: ({ prefillingPress, decodingPress }) => `${prefillingPress.name}, then ${decodingPress.name}`,
  ownBudget: ({ prefillingPress }) => prefillingPress.ownBudget,
  least: ({ prefillingPress }) => prefillingPress.least,
  begin: ({ prefillingPress, decodingPress }) => {
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
    return begin(decodingPress.begin(), false);
  },
});

/** Tokens that the session has read. */
function tokensSeen(entries: ModelEntries): number {
  return entries.layers[0]!.positions(0).at(-1)! + 1;
}

function everySoOften(inner: LayerPress, interval: number, size: (entries: ModelEntries) => number): PressSteps {
  const begin = (passes: number): PressSteps => ({
    step: (entries, _target, rows) => {
      if (passes++ === 0) return undefined;
      const count = size(entries);
      if (passes - 1 < interval && rows < count) return undefined;
      passes = 1;
      return selectAll(inner, entries, countTarget(count));
    },
    fork: () => begin(passes),
  });
  return begin(0);
}
