/** The methods that can be measured by name: those that a reading alone compresses, without inputs from training. */
import { ArgumentError } from "../errors.ts";
import { expectedAttention } from "../press/methods/expected-attention.ts";
import { definitions, type PressName, press } from "../press/registry.ts";
import type { Setting } from "../press/settings.ts";
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

/** Whether a method removes entries to a budget and needs nothing beyond its settings here, such as what was trained. */
function isMeasured({ name, ownBudget, settings }: (typeof definitions)[number]): boolean {
  const given = SETTINGS[name]?.(1) ?? {};
  const lacking = Object.entries<Setting>(settings).some(
    ([option, { need }]) => need === "required" && !(option in given),
  );
  return !ownBudget && !lacking;
}

/** Names of the methods, and `all` for the whole cache. */
export const methodNames: readonly string[] = ["all", ...definitions.filter(isMeasured).map(({ name }) => name)];

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
