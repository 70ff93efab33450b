/** Settings of sampling for a vocabulary that spells itself: token 65 is "A". */
import { checkedSampling, type SamplingOptions } from "../../src/session/sampling.ts";

/** @param vocabularySize tokens that a bias may name */
export function sampling(options: SamplingOptions, vocabularySize = 6) {
  return checkedSampling(options, { vocabularySize, textOf: (token) => String.fromCharCode(token) });
}
