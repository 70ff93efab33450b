/** The methods that can be measured by name: those that a reading alone compresses, without inputs from training. */
import { ArgumentError } from "../errors.ts";
import { expectedAttention } from "../press/methods/expected-attention.ts";
import { type PressName, press, pressNames } from "../press/registry.ts";
import type { MakePress } from "./run.ts";

/** What methods are given that need something; with kvpress's defaults else. */
const SETTINGS: Partial<Record<PressName, (questionTokens: number) => object>> = {
  adakv: () => ({ press: expectedAttention({ epsilon: 1e-2 }) }),
  block: () => ({ press: "keydiff" }),
  chunk: () => ({ press: "expectedattention" }),
  chunkkv: () => ({ press: "snapkv" }),
  criticaladakv: () => ({ press: expectedAttention({ epsilon: 1e-2 }) }),
  criticalkv: () => ({ press: expectedAttention({ useVnorm: false }) }),
  entropygatedchunkkv: () => ({ press: "snapkv" }),
  finchpress: (questionTokens) => ({ windowSize: questionTokens }),
  merging: () => ({ press: "expectedattention" }),
  pyramid: () => ({ press: "expectedattention" }),
};

/** Trained thresholds, head scores and filters are needed, or steps of decoding, or no entries are removed to a budget. */
const NOT_MEASURED: ReadonlySet<PressName> = new Set<PressName>([
  "cam",
  "composed",
  "compressionratiodecoding",
  "decoding",
  "dms",
  "duoattention",
  "lukv",
  "perlayer",
  "prefilldecoding",
  "qfilter",
  "simlayer",
  "think",
]);

/** Names of the methods, and `all` for the whole cache. */
export const methodNames: readonly string[] = ["all", ...pressNames.filter((name) => !NOT_MEASURED.has(name))];

/** @returns undefined for `all` @throws ArgumentError for a name that is not there */
export function methodOf(name: string): MakePress | undefined {
  if (name === "all") return undefined;
  if (!methodNames.includes(name)) {
    throw new ArgumentError(
      `There is no method ${JSON.stringify(name)} to measure; there are ${methodNames.join(", ")}`,
    );
  }
  return (questionTokens) => press(name, SETTINGS[name as PressName]?.(questionTokens));
}
