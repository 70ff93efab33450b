/** Token after token, until the model ends its answer, a stop string appears or the limit is reached. */
import { ArgumentError } from "../errors.ts";
import { pauses } from "../pause.ts";
import { show } from "../show.ts";
import { StreamDecoder } from "../tokenizer/stream-decoder.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { createSampler, SAMPLING_OPTIONS, type Sampler, type SamplingOptions } from "./sampling.ts";
import { StopFilter } from "./stopping.ts";

/** How an answer ended. */
export interface AnswerEnd {
  /** `end`: the model ended it; `stop`: at a stop string; `length`: at `maxTokens`. */
  readonly reason: "end" | "stop" | "length";
}

/** How an answer is drawn and when it ends. */
export interface GenerateOptions extends SamplingOptions {
  /** Tokens at most; default 256. */
  readonly maxTokens?: number | undefined;
  /** Goes on where the model would end: the tokens that end an answer are never drawn. */
  readonly ignoreEnd?: boolean | undefined;
  /** Ends before the first of these strings; it is not shown. */
  readonly stop?: string | readonly string[] | undefined;
  /** Hears how the answer ended, before the last piece has been taken; not when it is broken off. */
  readonly onEnd?: ((end: AnswerEnd) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The names of the options. */
export const GENERATE_OPTIONS = ["maxTokens", "ignoreEnd", "stop", "onEnd", "signal", ...SAMPLING_OPTIONS] as const;

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
  readonly sample: Sampler;
  readonly maxTokens: number;
  readonly ignoreEnd: boolean;
  readonly stops: readonly string[];
  readonly onEnd: ((end: AnswerEnd) => void) | undefined;
  readonly signal: AbortSignal | undefined;
}

/** @throws ArgumentError for an option outside its range; what the signal gives when it is aborted already */
export function checkedGeneration(options: GenerateOptions): Generation {
  const { maxTokens = 256, ignoreEnd = false, stop = [], onEnd, signal } = options;
  if (!Number.isInteger(maxTokens) || maxTokens < 1) {
    throw new ArgumentError(`maxTokens should be a positive whole number and is ${show(maxTokens)}`);
  }
  if (typeof ignoreEnd !== "boolean")
    throw new ArgumentError(`ignoreEnd should be a boolean and is ${show(ignoreEnd)}`);
  const stops: unknown = typeof stop === "string" ? [stop] : stop;
  if (!Array.isArray(stops) || !stops.every((text) => typeof text === "string")) {
    throw new ArgumentError(`stop should be a string or a list of strings and is ${show(stop)}`);
  }
  if (onEnd !== undefined && typeof onEnd !== "function")
    throw new ArgumentError(`onEnd should be a function and is ${show(onEnd)}`);
  checkSignal(signal);
  const sample = createSampler(options);
  signal?.throwIfAborted();
  return { sample, maxTokens, ignoreEnd, stops, onEnd, signal };
}

/** @throws ArgumentError for what is no AbortSignal */
export function checkSignal(signal: unknown): void {
  if (signal === undefined || typeof (signal as AbortSignal | null)?.throwIfAborted === "function") return;
  throw new ArgumentError(`signal should be an AbortSignal and is ${show(signal)}`);
}

/**
 * Yields pieces of text as they become certain. However it ends, the target then holds the text that was shown.
 * @param logits of the last token read, [vocabulary]
 * @throws ContextError where the window is full; what the signal gives when aborted
 */
export async function* generateText(
  target: GenerationTarget,
  tokenizer: Tokenizer,
  logits: Float32Array,
  { sample, maxTokens, ignoreEnd, stops, onEnd, signal }: Generation,
): AsyncGenerator<string, void, void> {
  const ends = new Set(tokenizer.eosTokens);
  const decoder = new StreamDecoder(tokenizer);
  const filter = new StopFilter(stops);
  /** Drawn tokens and where the text of each begins, in characters of all text drawn. */
  const drawn: { readonly token: number; readonly start: number }[] = [];
  let written = 0;
  let shown = 0;
  let unread: number | undefined;
  const breathe = pauses();
  try {
    for (;;) {
      signal?.throwIfAborted();
      target.makeRoom();
      if (ignoreEnd) for (const end of ends) logits[end] = Number.NEGATIVE_INFINITY;
      const token = sample(logits);
      if (ends.has(token)) break;
      unread = token;
      drawn.push({ token, start: written });
      const text = decoder.push(token);
      written += text.length;
      const piece = filter.push(text);
      shown += piece.length;
      if (filter.stopped) onEnd?.({ reason: "stop" });
      if (piece) yield piece;
      if (filter.stopped) return;
      if (drawn.length === maxTokens) break;
      logits = target.decode(token);
      unread = undefined;
      await breathe();
    }
    const rest = filter.push(decoder.flush()) + filter.flush();
    shown = Number.POSITIVE_INFINITY;
    onEnd?.({ reason: drawn.length === maxTokens ? "length" : "end" });
    if (rest) yield rest;
  } finally {
    const behind = drawn.filter(({ start }) => start >= shown).length;
    const last = drawn.at(-1 - behind)?.token;
    if (unread === undefined) target.settle?.(undefined, behind, last);
    else if (behind > 0) target.settle?.(undefined, behind - 1, last);
    else target.settle?.(unread, 0, last);
  }
}
