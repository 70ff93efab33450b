/** The methods that can be measured by name: those that need neither trained inputs nor steps of decoding. */
import { ArgumentError } from "../errors.ts";
import { adaKV } from "../press/adakv.ts";
import { block } from "../press/block.ts";
import { cap } from "../press/cap.ts";
import { chunkKV } from "../press/chunkkv.ts";
import { compactor } from "../press/compactor.ts";
import { criticalAdaKV, criticalKV } from "../press/criticalkv.ts";
import { cur } from "../press/cur.ts";
import { entropyGatedChunkKV } from "../press/entropy-gated-chunkkv.ts";
import { expectedAttention } from "../press/expected-attention.ts";
import { finch } from "../press/finch.ts";
import { finchPress } from "../press/finch-press.ts";
import { keyDiff } from "../press/keydiff.ts";
import { knorm } from "../press/knorm.ts";
import { kvCompose } from "../press/kvcompose.ts";
import { kvzip } from "../press/kvzip.ts";
import { lagKV } from "../press/lagkv.ts";
import { leverageScore } from "../press/leverage.ts";
import { nonCausalAttention } from "../press/non-causal-attention.ts";
import { observedAttention } from "../press/observed-attention.ts";
import { pyramidKV } from "../press/pyramidkv.ts";
import { random } from "../press/random.ts";
import { siskin } from "../press/siskin.ts";
import { snapKV } from "../press/snapkv.ts";
import { streamingLLM } from "../press/streaming-llm.ts";
import { tova } from "../press/tova.ts";
import type { MakePress } from "./run.ts";

/** With kvpress's defaults; those that wrap a score wrap the one that kvpress's own leaderboard does. */
const methods: Readonly<Record<string, MakePress>> = {
  siskin: () => siskin(),
  finch: () => finch(),
  finchpress: (questionTokens) => finchPress({ windowSize: questionTokens }),
  snapkv: () => snapKV(),
  pyramidkv: () => pyramidKV(),
  tova: () => tova(),
  expectedattention: () => expectedAttention(),
  observedattention: () => observedAttention(),
  noncausalattention: () => nonCausalAttention(),
  streamingllm: () => streamingLLM(),
  knorm: () => knorm(),
  keydiff: () => keyDiff(),
  lagkv: () => lagKV(),
  leveragescore: () => leverageScore(),
  compactor: () => compactor(),
  cur: () => cur(),
  cap: () => cap(),
  kvzip: () => kvzip(),
  kvcompose: () => kvCompose(),
  adakv: () => adaKV(expectedAttention({ epsilon: 1e-2 })),
  criticalkv: () => criticalKV(expectedAttention({ useVnorm: false })),
  criticaladakv: () => criticalAdaKV(expectedAttention({ epsilon: 1e-2 })),
  chunkkv: () => chunkKV(snapKV()),
  entropygatedchunkkv: () => entropyGatedChunkKV(snapKV()),
  block: () => block(keyDiff()),
  random: () => random(),
};

/** Names of the methods, and `all` for the whole cache. */
export const methodNames: readonly string[] = ["all", ...Object.keys(methods)];

/** @returns undefined for `all` @throws ArgumentError for a name that is not there */
export function methodOf(name: string): MakePress | undefined {
  if (name === "all") return undefined;
  const make = Object.hasOwn(methods, name) ? methods[name] : undefined;
  if (!make) {
    throw new ArgumentError(`There is no method ${JSON.stringify(name)}; there are ${methodNames.join(", ")}`);
  }
  return make;
}
