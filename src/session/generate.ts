/** Token after token, until the model ends its answer, a stop string or token appears or the limit is reached. */
import { ArgumentError } from "../errors.ts";
import type { GenerationDefaults } from "../model/generation-config.ts";
import { pauses } from "../pause.ts";
import { show } from "../show.ts";
import { StreamDecoder } from "../tokenizer/stream-decoder.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import {
  checkedSampling,
  logProbabilities,
  SAMPLING_OPTIONS,
  Sampler,
  type SamplingOptions,
  type SamplingSettings,
  type TokenProbability,
} from "./sampling.ts";
import { StopFilter } from "./stopping.ts";
import { checkedTokens } from "./tokens.ts";

/** A token of an answer. */
export interface AnswerToken {
  readonly token: number;
  /** The logarithm of the probability that the model gave it, in nats, before penalties and temperature; where `logProbabilities` asks for it. */
  readonly logProbability?: number;
  /** The likeliest tokens in its place, the likeliest first; where `logProbabilities` asks for any. */
  readonly alternatives?: readonly TokenProbability[];
}

/** How an answer ended. */
export interface AnswerEnd {
  /** `end`: the model ended it; `stop`: at a stop string or token; `length`: at `maxTokens`. */
  readonly reason: "end" | "stop" | "length";
  /** The string or token that stopped it. */
  readonly stop?: string | number;
  /** Tokens that the answer is behind: those of this call's prompt, or of the conversation. */
  readonly promptTokens: number;
  /** How many of them the session held already. */
  readonly cachedTokens: number;
  /** Tokens that were drawn, the one that ended the answer included. */
  readonly answerTokens: number;
}

/** How an answer is drawn and when it ends. */
export interface GenerateOptions extends SamplingOptions {
  /** Tokens at most; default 256. */
  readonly maxTokens?: number | undefined;
  /** Goes on where the model would end: the tokens that end an answer are never drawn. */
  readonly ignoreEnd?: boolean | undefined;
  /** Ends before the first of these strings; it is not shown. */
  readonly stop?: string | readonly string[] | undefined;
  /** Ends at the first of these tokens; it is not shown. */
  readonly stopTokens?: readonly number[] | undefined;
  /** Tells `onToken` the probability of every token and of so many alternatives. */
  readonly logProbabilities?: number | undefined;
  /** Hears of every token of the answer, before the piece that shows it to its end is given. */
  readonly onToken?: ((token: AnswerToken) => void) | undefined;
  /** Hears how the answer ended, before the last piece has been taken; not when it is broken off. */
  readonly onEnd?: ((end: AnswerEnd) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The names of the options. */
export const GENERATE_OPTIONS = [
  "maxTokens",
  "ignoreEnd",
  "stop",
  "stopTokens",
  "logProbabilities",
  "onToken",
  "onEnd",
  "signal",
  ...SAMPLING_OPTIONS,
] as const;

/** What generation needs of a session. */
export interface GenerationTarget {
  /** Sees to it that one more token can be read. @throws ContextError where the window is full */
  makeRoom(): void;
  /** @returns the logits behind the token, [vocabulary] */
  decode(token: number): Float32Array;
  /**
   * Brings the session to the text that was shown.
   * @param unread the last token shown, which has not been read
   * @param hidden tokens behind that text which have been read
   * @param last the last token of that text, if it is one that was drawn
   */
  settle?(unread: number | undefined, hidden: number, last: number | undefined): void;
}

/** Options that have been checked. */
export interface Generation {
  readonly sampling: SamplingSettings;
  readonly maxTokens: number;
  readonly ignoreEnd: boolean;
  readonly stops: readonly string[];
  readonly stopTokens: ReadonlySet<number>;
  /** Alternatives to be told of every token; undefined where probabilities are not asked for. */
  readonly alternatives: number | undefined;
  readonly onToken: ((token: AnswerToken) => void) | undefined;
  readonly onEnd: ((end: AnswerEnd) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** What generation needs of a model. */
export interface GenerationModel {
  readonly config: { readonly vocabularySize: number };
  readonly tokenizer: Tokenizer;
  readonly generationDefaults: GenerationDefaults;
}

/** @throws ArgumentError for an option outside its range; what the signal gives when it is aborted already */
export function checkedGeneration(options: GenerateOptions, model: GenerationModel): Generation {
  const { maxTokens = 256, ignoreEnd = false, stop = [], logProbabilities: alternatives, signal } = options;
  const { vocabularySize } = model.config;
  if (!Number.isInteger(maxTokens) || maxTokens < 1) {
    throw new ArgumentError(`maxTokens should be a positive whole number and is ${show(maxTokens)}`);
  }
  if (typeof ignoreEnd !== "boolean")
    throw new ArgumentError(`ignoreEnd should be a boolean and is ${show(ignoreEnd)}`);
  const stops: unknown = typeof stop === "string" ? [stop] : stop;
  if (!Array.isArray(stops) || !stops.every((text) => typeof text === "string")) {
    throw new ArgumentError(`stop should be a string or a list of strings and is ${show(stop)}`);
  }
  const stopTokens = new Set(checkedTokens(options.stopTokens ?? [], vocabularySize));
  if (alternatives !== undefined && !(Number.isInteger(alternatives) && alternatives >= 0)) {
    throw new ArgumentError(`logProbabilities should be a whole number and is ${show(alternatives)}`);
  }
  for (const [name, listener] of Object.entries({ onToken: options.onToken, onEnd: options.onEnd })) {
    if (listener !== undefined && typeof listener !== "function")
      throw new ArgumentError(`${name} should be a function and is ${show(listener)}`);
  }
  checkSignal(signal);
  const sampling = checkedSampling(options, {
    vocabularySize,
    defaults: model.generationDefaults,
    textOf: (token) => model.tokenizer.decode([token]),
  });
  signal?.throwIfAborted();
  const { onToken, onEnd } = options;
  return { sampling, maxTokens, ignoreEnd, stops, stopTokens, alternatives, onToken, onEnd, signal };
}

/** @throws ArgumentError for what is no AbortSignal */
export function checkSignal(signal: unknown): void {
  if (signal === undefined || typeof (signal as AbortSignal | null)?.throwIfAborted === "function") return;
  throw new ArgumentError(`signal should be an AbortSignal and is ${show(signal)}`);
}

/** What an answer goes on from. */
export interface AnswerStart {
  /** Logits of the last token read, [vocabulary]. */
  readonly logits: Float32Array;
  /** The tokens before the answer. */
  readonly prompt: Int32Array;
  /** How many of them had been read before this call. */
  readonly cachedTokens: number;
}

/**
 * Yields pieces of text as they become certain. However it ends, the target then holds the text that was shown.
 * @throws ContextError where the window is full; what the signal gives when aborted
 */
export async function* generateText(
  target: GenerationTarget,
  tokenizer: Tokenizer,
  { logits: first, prompt, cachedTokens }: AnswerStart,
  { sampling, maxTokens, ignoreEnd, stops, stopTokens, alternatives, onToken, onEnd, signal }: Generation,
): AsyncGenerator<string, void, void> {
  let logits = first;
  const sampler = new Sampler(sampling, prompt);
  const ends = new Set(tokenizer.eosTokens);
  const decoder = new StreamDecoder(tokenizer);
  const filter = new StopFilter(stops);
  /** Drawn tokens and where the text of each begins, in characters of all text drawn. */
  const drawn: { readonly start: number; readonly told: AnswerToken }[] = [];
  let written = 0;
  let shown = 0;
  let told = 0;
  let unread: number | undefined;
  /** Tells of the tokens that begin in what is shown with the next piece. */
  const tell = () => {
    for (; told < drawn.length && drawn[told]!.start < shown; told++) onToken?.(drawn[told]!.told);
  };
  const finish = (reason: AnswerEnd["reason"], answerTokens: number, stop?: string | number) =>
    onEnd?.({
      reason,
      ...(stop === undefined ? {} : { stop }),
      promptTokens: prompt.length,
      cachedTokens,
      answerTokens,
    });
  const breathe = pauses();
  try {
    for (;;) {
      signal?.throwIfAborted();
      target.makeRoom();
      if (ignoreEnd) for (const end of ends) logits[end] = Number.NEGATIVE_INFINITY;
      const token = sampler.next(logits);
      const stopped = stopTokens.has(token);
      if (stopped || ends.has(token)) {
        const rest = filter.push(decoder.flush()) + filter.flush();
        shown = Number.POSITIVE_INFINITY;
        tell();
        if (stopped) finish("stop", drawn.length + 1, token);
        else finish("end", drawn.length + 1);
        if (rest) yield rest;
        return;
      }
      unread = token;
      drawn.push({
        start: written,
        told: alternatives === undefined ? { token } : logProbabilities(logits, token, alternatives),
      });
      const text = decoder.push(token);
      written += text.length;
      let piece = filter.push(text);
      const isLast = drawn.length === maxTokens && filter.stop === undefined;
      if (isLast) piece += filter.push(decoder.flush()) + filter.flush();
      shown = isLast ? Number.POSITIVE_INFINITY : shown + piece.length;
      if (piece || isLast) tell();
      if (filter.stop !== undefined) finish("stop", drawn.length, filter.stop);
      else if (isLast) finish("length", drawn.length);
      if (piece) yield piece;
      if (isLast || filter.stop !== undefined) return;
      logits = target.decode(token);
      unread = undefined;
      await breathe();
    }
  } finally {
    const behind = drawn.filter(({ start }) => start >= shown).length;
    const last = drawn.at(-1 - behind)?.told.token;
    if (unread === undefined) target.settle?.(undefined, behind, last);
    else if (behind > 0) target.settle?.(undefined, behind - 1, last);
    else target.settle?.(unread, 0, last);
  }
}
