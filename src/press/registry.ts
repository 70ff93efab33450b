/** Every method by its name, with kvpress's parameters in camel case. */
import { ArgumentError } from "../errors.ts";
import { show } from "../show.ts";
import { cap } from "./methods/cap.ts";
import { compactor } from "./methods/compactor.ts";
import { cur } from "./methods/cur.ts";
import { duoAttention } from "./methods/duo-attention.ts";
import { expectedAttention } from "./methods/expected-attention.ts";
import { finch } from "./methods/finch.ts";
import { finchWholePass } from "./methods/finch-whole-pass.ts";
import { keyDiff } from "./methods/keydiff.ts";
import { knorm } from "./methods/knorm.ts";
import { kvCompose } from "./methods/kvcompose.ts";
import { kvzip } from "./methods/kvzip.ts";
import { lagKV } from "./methods/lagkv.ts";
import { leverageScore } from "./methods/leverage.ts";
import { nonCausalAttention } from "./methods/non-causal-attention.ts";
import { observedAttention } from "./methods/observed-attention.ts";
import { qFilter } from "./methods/qfilter.ts";
import { random } from "./methods/random.ts";
import { simLayer } from "./methods/simlayer.ts";
import { siskin } from "./methods/siskin.ts";
import { snapKV } from "./methods/snapkv.ts";
import { streamingLLM } from "./methods/streaming-llm.ts";
import { think } from "./methods/think.ts";
import { tova } from "./methods/tova.ts";
import type { Press, ScorePress } from "./press.ts";
import { adaKV } from "./wrappers/adakv.ts";
import { block } from "./wrappers/block.ts";
import { cam } from "./wrappers/cam.ts";
import { chunk } from "./wrappers/chunk.ts";
import { chunkKV } from "./wrappers/chunkkv.ts";
import { type ComposedStep, composed } from "./wrappers/composed.ts";
import { criticalAdaKV, criticalKV } from "./wrappers/criticalkv.ts";
import { compressionRatioDecoding, decoding, prefillDecoding } from "./wrappers/decoding.ts";
import { dms } from "./wrappers/dms.ts";
import { entropyGatedChunkKV } from "./wrappers/entropy-gated-chunkkv.ts";
import { luKV } from "./wrappers/lukv.ts";
import { merging } from "./wrappers/merging.ts";
import { perLayer } from "./wrappers/per-layer.ts";
import { pyramid, pyramidKV } from "./wrappers/pyramidkv.ts";

/** The names of a method's parameters, and whether they must be given. */
type ParameterNames<Options> = {
  readonly [Name in keyof Options]-?: object extends Pick<Options, Name> ? "optional" : "required";
};

interface Method<Options = never, Made extends Press = Press> {
  readonly make: (options: Options) => Made;
  readonly parameters: Readonly<Record<string, "optional" | "required">>;
}

/** A press, or the name of one that needs no parameters. */
type Inner = { readonly press: ScorePress | string };

function method<Options extends object | undefined, Made extends Press>(
  make: (options: Options) => Made,
  parameters: NoInfer<ParameterNames<NonNullable<Options>>>,
): Method<NonNullable<Options>, Made> {
  return { make, parameters };
}

/** A method over the scores of another. */
function over<Options extends object | undefined, Made extends Press>(
  make: (press: ScorePress, options: Options) => Made,
  parameters: NoInfer<ParameterNames<NonNullable<Options>>>,
): Method<NonNullable<Options> & Inner, Made> {
  return {
    make: ({ press: inner, ...options }) => make(scorePress(inner), options as unknown as Options),
    parameters: { press: "required", ...parameters },
  };
}

const optional = "optional";
const required = "required";
/** What makes each method, and its parameters. */
export const methods = {
  adakv: over(adaKV, { alphaSafeguard: optional }),
  block: over(block, { blockSize: optional }),
  cam: over(cam, {
    compressionInterval: optional,
    targetSize: optional,
    mergeBudget: optional,
    seed: optional,
    draw: optional,
  }),
  cap: method(cap, { tau: optional, nFuturePositions: optional, nSink: optional, epsilon: optional }),
  chunk: over(chunk, { chunkLength: optional }),
  chunkkv: over(chunkKV, { chunkLength: optional }),
  compactor: method(compactor, {
    sketchDimension: optional,
    seed: optional,
    draw: optional,
    chunkSize: optional,
    sinkSizeStart: optional,
    sinkSizeEnd: optional,
    blending: optional,
  }),
  composed: method(({ presses }: { readonly presses: readonly ComposedStep[] }) => composed(presses), {
    presses: required,
  }),
  compressionratiodecoding: over(compressionRatioDecoding, {
    compressionInterval: optional,
    targetCompressionRatio: optional,
  }),
  criticaladakv: over(criticalAdaKV, { alphaSafeguard: optional, epsilon: optional, firstStageRatio: optional }),
  criticalkv: over(criticalKV, { epsilon: optional, firstStageRatio: optional }),
  cur: method(cur, {
    numSinks: optional,
    leverageType: optional,
    useRandomLeverage: optional,
    useLocalApproximation: optional,
    localWindowSize: optional,
    seed: optional,
  }),
  decoding: over(decoding, { compressionInterval: optional, targetSize: optional }),
  dms: over(dms, { threshold: required, slidingWindowSize: optional, decoding: optional }),
  duoattention: method(duoAttention, {
    headScores: required,
    headCompressionRatio: optional,
    sinkSize: optional,
    recentSize: optional,
  }),
  entropygatedchunkkv: over(entropyGatedChunkKV, { chunkLength: optional, lowEntropyChunkLength: optional }),
  expectedattention: method(expectedAttention, {
    nFuturePositions: optional,
    nSink: optional,
    useCovariance: optional,
    useVnorm: optional,
    epsilon: optional,
  }),
  finch: method(finch, { granularity: optional, schedule: optional, reach: optional }),
  finchpress: method(finchWholePass, { windowSize: required, chunkLength: optional, normalizeScores: optional }),
  keydiff: method(keyDiff as (options: object) => ScorePress, {}),
  knorm: method(knorm as (options: object) => ScorePress, {}),
  kvcompose: method(kvCompose, {
    structured: optional,
    aggTask: optional,
    aggGroup: optional,
    aggHead: optional,
    addVNorm: optional,
    addMeanAcrossHeads: optional,
    keepTokenLowerBound: optional,
  }),
  kvzip: method(kvzip, { layerwise: optional, nSink: optional, kvzipPlusNormalization: optional, chunkSize: optional }),
  lagkv: method(lagKV, { nSink: optional, lagSize: optional, crossScoring: optional }),
  leveragescore: method(leverageScore, { sketchDimension: optional, seed: optional, draw: optional }),
  lukv: over(luKV, { budgetCurves: required, sink: optional, window: optional }),
  merging: over(merging, { similarityThreshold: optional, mergeFraction: optional }),
  noncausalattention: method(nonCausalAttention, { chunkSize: optional }),
  observedattention: method(observedAttention as (options: object) => ScorePress, {}),
  perlayer: over(perLayer, { compressionRatios: required }),
  prefilldecoding: method(prefillDecoding, { prefillingPress: required, decodingPress: required }),
  pyramid: over(pyramid, { windowSize: optional, beta: optional }),
  pyramidkv: method(pyramidKV, { windowSize: optional, kernelSize: optional, beta: optional }),
  qfilter: method(qFilter, { qFilters: required }),
  random: method(random, { seed: optional, draw: optional }),
  simlayer: method(simLayer, { lazyThreshold: optional, nLast: optional, nRecent: optional, nInitial: optional }),
  siskin: method(siskin, { reach: optional }),
  snapkv: method(snapKV, { windowSize: optional, kernelSize: optional }),
  streamingllm: method(streamingLLM, { nSink: optional }),
  think: method(think, { keyChannelCompressionRatio: optional, windowSize: optional }),
  tova: method(tova as (options: object) => ScorePress, {}),
};

/** The name of a method: that of kvpress's class in lower case, without "Press". */
export type PressName = keyof typeof methods;

/** The names of all methods, in alphabetical order. */
export const pressNames = Object.keys(methods) as readonly PressName[];

/** The parameters of a method. */
type Parameters<Name extends PressName> = (typeof methods)[Name] extends Method<infer Options, Press> ? Options : never;

/** What a name makes. */
type Made<Name extends PressName> = ReturnType<(typeof methods)[Name]["make"]>;

/**
 * A method by its name.
 * @param name one of `pressNames`
 * @param parameters as the method's own function takes them; `press` is what it wraps, a press or a name
 * @throws ArgumentError for an unknown name or parameter, a missing one, and settings that cannot be
 */
export function press<Name extends PressName>(name: Name, parameters?: Parameters<Name>): Made<Name>;
export function press(name: string, parameters?: object): Press;
export function press(name: string, given: unknown = {}): unknown {
  const parameters = given as Readonly<Record<string, unknown>>;
  if (!Object.hasOwn(methods, name)) {
    throw new ArgumentError(`There is no press ${show(name)}; there are ${pressNames.join(", ")}`);
  }
  const { make, parameters: known } = methods[name as PressName] as unknown as Method<object>;
  for (const parameter of Object.keys(parameters)) {
    if (!Object.hasOwn(known, parameter)) {
      const names = Object.keys(known);
      const takes = names.length > 0 ? `takes ${names.join(", ")}` : "takes no parameters";
      throw new ArgumentError(`The ${name} press has no parameter ${show(parameter)}; it ${takes}`);
    }
  }
  for (const [parameter, need] of Object.entries(known)) {
    if (need === "required" && parameters[parameter] === undefined) {
      throw new ArgumentError(`The ${name} press needs its parameter ${parameter}`);
    }
  }
  return make(parameters);
}

function scorePress(inner: ScorePress | string): ScorePress {
  const made: Press = typeof inner === "string" ? press(inner) : inner;
  if (made.kind !== "score") throw new ArgumentError(`The ${made.name} press gives no scores for another to use`);
  return made;
}
