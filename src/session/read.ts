/** Reads a document chunk by chunk into a cache that never grows beyond its budget and a chunk. */
import type { KeyValueCache } from "../cache/cache.ts";
import { PAGE_ENTRIES } from "../cache/page-form.ts";
import { ArgumentError, ContextError } from "../errors.ts";
import type { Scoring } from "../model/batch.ts";
import type { Model } from "../model/model.ts";
import { countTarget } from "../press/budget.ts";
import { highest, selectAll, spread } from "../press/choose.ts";
import type { ModelSelection, PassPress, QuestionPress } from "../press/press.ts";
import { keepSelected, viewCache } from "./compress.ts";
import { pause } from "./pause.ts";
import { Recorder } from "./recorder.ts";

/** How far a reading has come. */
export interface ReadProgress {
  /** Tokens of the prompt's head and the document read so far. */
  readonly tokensRead: number;
  /** Tokens of the document alone read so far: where to go on after an abort. */
  readonly documentTokens: number;
  /** Tokens in all; undefined while a stream goes on. */
  readonly tokensTotal: number | undefined;
  /** Entries that the fullest head holds now. */
  readonly entries: number;
  /** Bytes that the cache holds now. */
  readonly cacheBytes: number;
}

/** What a reading works on. */
export interface Reading {
  readonly model: Model;
  readonly cache: KeyValueCache;
  readonly press: QuestionPress | PassPress;
  /** Entries to keep after each chunk. */
  readonly budget: number;
  /** Tokens run at once behind the cache. */
  readonly chunkLength: number;
  /** The questions' tokens, each with the empty line before it and the start of the answer behind it. */
  readonly questions: readonly Int32Array[];
  /** Positions that the session may use. */
  readonly window: number;
  /** Tokens of the prompt's head that stand before the document. */
  readonly headLength: number;
  readonly tokensTotal: number | undefined;
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs the chunks and keeps the best entries after each: behind it every question, blind to the others, scores
 * (DESIGN.md, decision 8), or a press that asks none chooses.
 * @throws ArgumentError, ContextError when chunk, questions and budget do not fit the window; what the signal gives when aborted
 */
export async function readChunks(reading: Reading, tokens: AsyncIterable<Int32Array>): Promise<void> {
  checkReading(reading);
  const { model, cache, press, budget, signal, onProgress } = reading;
  const course = press.kind === "model" || press.kind === "score" ? press.begin?.() : undefined;
  const start = cache.absolutePosition;
  /** What earlier readings left, of the budget. A budget that grows grows from there. */
  const held = Math.min(budget, cache.longest);
  signal?.throwIfAborted();
  for await (const chunk of rechunk(tokens, reading.chunkLength)) {
    signal?.throwIfAborted();
    checkPositions(reading, chunk.length);
    const read = cache.absolutePosition - start + chunk.length;
    const grows = press.kind === "question" && press.schedule === "linear";
    const kept = grows ? held + Math.trunc(((budget - held) * read) / reading.tokensTotal!) : budget;
    if (cache.longest + chunk.length <= kept && !course) model.decoder.forward(cache, { text: chunk, hidden: false });
    else if (press.kind === "question") readWithQuestions(reading, press, chunk, Math.max(1, kept));
    else readWithout(reading, press, course, chunk);
    onProgress?.({
      tokensRead: read,
      documentTokens: Math.max(0, read - reading.headLength),
      tokensTotal: reading.tokensTotal,
      entries: cache.longest,
      cacheBytes: cache.byteLength,
    });
    await pause();
  }
}

/** One chunk behind the cache, the questions behind it, and the choice of what stays. */
function readWithQuestions(
  { model, cache, questions }: Reading,
  press: QuestionPress,
  chunk: Int32Array,
  kept: number,
) {
  const { core, decoder } = model;
  const { layers, keyHeads } = cache;
  const lists = press.granularity === "head" ? layers * keyHeads : press.granularity === "layer" ? layers : 1;
  const listOf = (layer: number, head: number) =>
    press.granularity === "head" ? layer * keyHeads + head : press.granularity === "layer" ? layer : 0;
  const entries = cache.longest + chunk.length;
  const stride = Math.ceil(entries / PAGE_ENTRIES) * PAGE_ENTRIES;
  core.borrow(lists * stride * 4, (pointer) => {
    core.f32(pointer, lists * stride).fill(0);
    const scoring: Scoring = {
      target: (layer, head) => pointer + listOf(layer, head) * stride * 4,
      factors: press.pooling === "mean" ? meanFactors(questions, entries) : undefined,
    };
    decoder.forward(cache, { text: chunk, questions, scoring, hidden: false });
    const chosen = Array.from({ length: lists }, (_, list) => {
      const scores = core.f32(pointer + list * stride * 4, entries).slice();
      return highest(core, spread(scores, press.reach), kept);
    });
    cache.keep((layer, head) => chosen[listOf(layer, head)]!, decoder.rotations);
  });
}

/** One chunk behind the cache, and what a press chooses that asks no questions. */
function readWithout(
  { model, cache, budget }: Reading,
  press: PassPress,
  course: ModelSelection | undefined,
  chunk: Int32Array,
): void {
  const rows = press.needs?.queryRows ?? 0;
  const recorder = new Recorder(model.core, model.config, rows > 0 ? ["queries"] : [], chunk.length, rows);
  recorder.batch(0, chunk.length, (record) => model.decoder.forward(cache, { text: chunk, record, hidden: false }));
  const [view, target] = [viewCache(model, cache, chunk, recorder), countTarget(budget)];
  keepSelected(model, cache, course ? course.select(view, target) : selectAll(press, view, target));
}

/** FINCH's normalisation: a weight counts as many times as its token sees entries, averaged over a question's tokens. */
function meanFactors(questions: readonly Int32Array[], entries: number): Float32Array {
  return Float32Array.from(
    questions.flatMap((question) => [...question].map((_, row) => (entries + row + 1) / question.length)),
  );
}

function checkReading(reading: Reading): void {
  const { press, budget, chunkLength, questions, window, cache, tokensTotal } = reading;
  for (const [name, value] of Object.entries({ budget, chunkLength })) {
    if (!Number.isInteger(value) || value < 1)
      throw new ArgumentError(`${name} should be a positive whole number and is ${value}`);
  }
  if (press.kind === "question") {
    if (questions.length === 0) {
      throw new ArgumentError(`The ${press.name} press needs at least one question to read for`);
    }
    if (press.schedule === "linear" && tokensTotal === undefined) {
      throw new ArgumentError(
        'A budget that grows linearly needs a document of known length; set schedule: "constant"',
      );
    }
    if (!cache.isEven) {
      throw new ContextError(`The ${press.name} press cannot go on where heads hold different numbers of entries`);
    }
  }
  const question = longest(questions);
  const needed = Math.max(budget, cache.longest) + chunkLength + question;
  if (cache.scheme === "contiguous" && needed > window) {
    throw new ContextError(
      `budget ${budget}, a chunk of ${chunkLength} and a question of ${question} tokens need ${needed} positions; the window has ${window}`,
    );
  }
  checkPositions(reading, tokensTotal ?? 0);
}

/** In the original scheme what has been read takes positions too, kept or not. @throws ContextError when they do not suffice */
function checkPositions({ cache, questions, window }: Reading, tokens: number): void {
  const question = longest(questions);
  if (cache.scheme === "original" && cache.absolutePosition + tokens + question > window) {
    throw new ContextError(
      `${tokens} tokens and a question of ${question} behind ${cache.absolutePosition} exceed the window of ${window} positions; the contiguous scheme reads text of any length`,
    );
  }
}

/** Tokens of the longest question. */
function longest(questions: readonly Int32Array[]): number {
  return questions.reduce((most, question) => Math.max(most, question.length), 0);
}

/** Cuts pieces of any length into chunks of `length`; the last may be shorter. */
async function* rechunk(pieces: AsyncIterable<Int32Array>, length: number): AsyncGenerator<Int32Array> {
  let chunk = new Int32Array(length);
  let filled = 0;
  for await (const piece of pieces) {
    for (let from = 0; from < piece.length; ) {
      const part = piece.subarray(from, from + length - filled);
      chunk.set(part, filled);
      filled += part.length;
      from += part.length;
      if (filled === length) {
        yield chunk;
        chunk = new Int32Array(length);
        filled = 0;
      }
    }
  }
  if (filled > 0) yield chunk.subarray(0, filled);
}
