/** Token after token, until the model ends its answer, a stop string appears or the limit is reached. */
import { ArgumentError } from "../errors.ts";
import { StreamDecoder } from "../tokenizer/stream-decoder.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { pause } from "./pause.ts";
import { createSampler, type SamplingOptions } from "./sampling.ts";
import { StopFilter } from "./stopping.ts";

/** How an answer is drawn and when it ends. */
export interface GenerateOptions extends SamplingOptions {
  /** Tokens at most; default 256. */
  readonly maxTokens?: number | undefined;
  /** Goes on where the model would end: the tokens that end an answer are never drawn. */
  readonly ignoreEnd?: boolean | undefined;
  /** Ends before the first of these strings; it is not shown. */
  readonly stop?: string | readonly string[] | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What generation needs of a session. */
export interface GenerationTarget {
  decode(token: number): Float32Array;
}

/** Milliseconds of work after which events are heard. */
const PAUSE_INTERVAL = 16;

/**
 * Yields pieces of text as they become certain.
 * @param logits of the last token read, [vocabulary]
 * @throws ArgumentError for an option outside its range; what the signal gives when aborted
 */
export async function* generateText(
  target: GenerationTarget,
  tokenizer: Tokenizer,
  logits: Float32Array,
  options: GenerateOptions,
): AsyncGenerator<string, void, void> {
  const { maxTokens = 256, ignoreEnd = false, stop = [], signal } = options;
  if (!(maxTokens >= 1)) throw new ArgumentError(`maxTokens cannot be ${maxTokens}`);
  const sample = createSampler(options);
  const ends = new Set(tokenizer.eosTokens);
  const decoder = new StreamDecoder(tokenizer);
  const filter = new StopFilter(typeof stop === "string" ? [stop] : stop);
  let paused = performance.now();
  for (let count = 1; ; count++) {
    signal?.throwIfAborted();
    if (ignoreEnd) for (const end of ends) logits[end] = Number.NEGATIVE_INFINITY;
    const token = sample(logits);
    if (ends.has(token)) break;
    const piece = filter.push(decoder.push(token));
    if (piece) yield piece;
    if (filter.stopped) return;
    if (count === maxTokens) break;
    logits = target.decode(token);
    if (performance.now() - paused > PAUSE_INTERVAL) {
      await pause();
      paused = performance.now();
    }
  }
  const rest = filter.push(decoder.flush()) + filter.flush();
  if (rest) yield rest;
}
