/** Reads a document chunk by chunk into a cache that never grows beyond its budget and a chunk. */
import type { KeyValueCache } from "../cache/cache.ts";
import { ArgumentError, ContextError } from "../errors.ts";
import { gathered, pause } from "../pause.ts";
import { BUDGET_OPTIONS, type Budget, countTarget, remaining, type Target, targetOf } from "../press/budget.ts";
import type { PassRecord } from "../press/entries.ts";
import { siskin } from "../press/methods/siskin.ts";
import type { ModelSelection, PassPress } from "../press/press.ts";
import { checkPress } from "../press/tools/check-press.ts";
import { selectAll } from "../press/tools/choose.ts";
import { show } from "../show.ts";
import type { Steps } from "../steps.ts";
import { joined } from "../tokenizer/tokens.ts";
import { chunksOf } from "./chunks.ts";
import { keepSelected, type Ongoing, stepOngoing, viewCache } from "./compress.ts";
import { type DocumentText, type DocumentTokens, documentTokens } from "./document.ts";
import { GENERIC_QUESTIONS } from "./generic-questions.ts";
import type { Passes } from "./passes.ts";
import { readWithQuestions } from "./question-scores.ts";
import { Recorder } from "./recorder.ts";
import { isTokenList } from "./tokens.ts";

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

/** How a document is read. The budget is kept behind each chunk: 512 entries of every head when none is given; a `ratio` is of the whole text. */
export interface ReadOptions extends Budget {
  /** What will be asked; all share one reading. Where it is not known, default a few generic questions. */
  readonly questions?: string | Iterable<string> | undefined;
  /** Default `siskin()`. A press that scores without questions compresses behind each chunk. */
  readonly press?: PassPress | undefined;
  /** Tokens read at once; default 512. */
  readonly chunkLength?: number | undefined;
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export const READ_OPTIONS = [...BUDGET_OPTIONS, "questions", "press", "chunkLength", "onProgress", "signal"] as const;
const DEFAULT_BUDGET = 512;
const DEFAULT_CHUNK = 512;

/** What a reading works on. */
interface Reading {
  readonly passes: Passes;
  readonly press: PassPress;
  /** What to keep after each chunk. */
  readonly target: Target;
  /** Tokens run at once behind the cache. */
  readonly chunkLength: number;
  /** The questions' tokens, each with the empty line before it and the start of the answer behind it. */
  readonly questions: readonly Int32Array[];
  /** Tokens of the prompt's head that stand before the document. */
  readonly headLength: number;
  readonly tokensTotal: number | undefined;
  readonly onProgress: ((progress: ReadProgress) => void) | undefined;
  /** Stops the reading, at once. */
  readonly signal: AbortSignal;
}

/** The session that reads. */
interface ReadingSession {
  /**
   * Work in steps, between which other work goes on and aborts are heard; a press's code may run in it.
   * @throws DisposedError when the session is disposed meanwhile; what the signal gives. The work is then given up
   */
  steps<T>(work: () => Steps<T>): Promise<T>;
  /** @throws DisposedError */
  checkLive(): void;
}

/** More rows at once are no faster and take gigabytes. */
const LONGEST_CHUNK = 65_536;

/**
 * What a call of `session.read` asks for, checked before anything is read.
 * @param signal stops the reading
 * @throws ArgumentError, ContextError when chunk, questions and budget do not fit the window; what the signal gives when
 * it is aborted meanwhile
 */
export async function checkedReading(
  text: DocumentText,
  options: ReadOptions,
  passes: Passes,
  signal: AbortSignal,
): Promise<{ reading: Reading; document: DocumentTokens }> {
  const { chunkLength = DEFAULT_CHUNK, press = siskin(), onProgress } = options;
  checkPress(press, ["score", "select", "model"], "press of read");
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new ArgumentError(`onProgress should be a function and is ${show(onProgress)}`);
  }
  const budget = targetOf(options, press, passes.room, DEFAULT_BUDGET);
  const { engine } = passes;
  const frame = isTokenList(text) ? engine.frameForTokens : engine.frame;
  // Tokens are read without a tokenizer where nothing asks for text.
  const unasked = !frame && !press.needs?.questions && options.questions === undefined;
  const questions: Int32Array[] = [];
  for (const question of unasked ? [] : questionTexts(options.questions))
    questions.push(joined(await gathered((frame ?? engine.frame).questionInSteps(question), signal)));
  const document = await documentTokens(text, passes, signal);
  const reading: Reading = {
    passes,
    press,
    target: counted(budget, document.total, passes.cache.longest),
    chunkLength,
    questions,
    headLength: document.head.length,
    tokensTotal: document.total,
    onProgress,
    signal,
  };
  checkReading(reading);
  return { reading, document };
}

/** A ratio as the number of entries that it leaves of the whole text and what is held before it. @throws ArgumentError for a stream */
function counted(target: Target, total: number | undefined, held: number): Target {
  if (target.asked === undefined) return target;
  if (total === undefined) throw new ArgumentError("ratio needs a document of known length: give budget or bytes");
  return countTarget(remaining(held + total, target.asked), target.protect);
}

/** The questions to read for. @throws ArgumentError for what is no text */
function questionTexts(given: unknown = GENERIC_QUESTIONS): string[] {
  const iterable = typeof given === "object" && given !== null && Symbol.iterator in given;
  const texts: unknown[] = iterable ? [...(given as Iterable<unknown>)] : [given];
  for (const text of texts) {
    if (typeof text !== "string") throw new ArgumentError(`A question should be a string and is ${show(text)}`);
  }
  return texts as string[];
}

/**
 * Runs the chunks, behind each of them the questions where the press looks at them, and keeps what the press chooses. A chunk
 * is read whole or not at all.
 * @throws ArgumentError, ContextError when the window is full; what the signal gives when aborted
 */
export async function readChunks(reading: Reading, document: DocumentTokens, session: ReadingSession): Promise<void> {
  const { passes, press, chunkLength, signal, onProgress } = reading;
  const { cache } = passes;
  const keepsAll = neverFull(reading);
  const course = keepsAll || press.kind === "select" ? undefined : press.begin?.();
  const start = cache.absolutePosition;
  // A method that looks at the last rows of a chunk wants them all.
  const rows = press.needs?.queryRows ?? 0;
  const least = Number.isFinite(rows) ? rows : 0;
  for await (const chunk of chunksOf(document.tokens, { length: chunkLength, least, signal })) {
    signal.throwIfAborted();
    const read = cache.absolutePosition - start + chunk.length;
    const work = () => readChunk(reading, course, chunk, session.checkLive);
    // Where two presses compress, the second may fail when the first has dropped entries.
    passes.ongoing = await session.steps(() =>
      cache.attemptInSteps(work, passes.ongoing !== undefined || cache.wouldTurn(chunk.length)),
    );
    passes.hiddenState = undefined;
    onProgress?.({
      tokensRead: read,
      documentTokens: Math.max(0, read - reading.headLength),
      tokensTotal: reading.tokensTotal,
      entries: cache.longest,
      cacheBytes: cache.byteLength,
    });
    session.checkLive();
    await pause();
    session.checkLive();
  }
  passes.documentEnd = document.end();
}

/** Whether the whole text fits the budget: then questions need not be run for a course either. */
function neverFull({ press, target, tokensTotal, passes: { cache } }: Reading): boolean {
  return press.needs?.questions !== undefined && tokensTotal !== undefined && fits(cache, target, tokensTotal);
}

/** Whether every head has room within its budget. */
function fits(cache: KeyValueCache, target: Target, tokens: number): boolean {
  return target.most !== undefined && allKeep(cache, target, cache.longest + tokens);
}

/** Whether the budget of every head is of so many entries at least. */
function allKeep({ layers, kvHeads }: KeyValueCache, target: Target, count: number): boolean {
  const heads = Array.from({ length: layers * kvHeads }, (_, index) => index);
  return heads.every(
    (index) => target.share({ layer: Math.floor(index / kvHeads), length: () => count }, index % kvHeads) >= count,
  );
}

/**
 * Reads one chunk and compresses.
 * @param course the press's way through the chunks, where it has one
 * @returns what goes on compressing the session
 */
function* readChunk(
  reading: Reading,
  course: ModelSelection | undefined,
  chunk: Int32Array,
  checkLive: () => void,
): Steps<Ongoing | undefined> {
  const { passes, press, target, questions, tokensTotal } = reading;
  const { engine, cache, ongoing } = passes;
  checkRoom(reading, chunk.length);
  const chooses = course !== undefined || !fits(cache, target, chunk.length);
  const { queryRows = 0, questions: wanted } = (chooses && press.needs) || {};
  const rows = Math.max(queryRows, ongoing?.press.needs?.queryRows ?? 0);
  const recorder = new Recorder(engine.core, engine.config, rows > 0 ? ["queries"] : [], chunk.length, rows);
  let questionScores: PassRecord["questionScores"];
  yield* recorder.batchInSteps(0, chunk.length, function* (record) {
    if (wanted) questionScores = yield* readWithQuestions(engine, cache, chunk, questions, wanted, record);
    else yield* engine.decoder.forwardInSteps(cache, { text: chunk, record });
  });
  const view = viewCache(engine, cache, chunk, recorder, { chunked: true, textLength: tokensTotal, questionScores });
  if (chooses) {
    const selections = selectAll(press, view, target, course);
    checkLive();
    keepSelected(cache, selections);
  }
  return ongoing && stepOngoing(cache, checkLive, ongoing, view);
}

function checkReading(reading: Reading): void {
  const { press, target, chunkLength, questions, tokensTotal } = reading;
  const { contextSize, cache } = reading.passes;
  if (!Number.isInteger(chunkLength) || chunkLength < 1 || chunkLength > LONGEST_CHUNK) {
    throw new ArgumentError(
      `chunkLength should be a positive whole number up to ${LONGEST_CHUNK} and is ${show(chunkLength)}`,
    );
  }
  if (press.needs?.textLength && tokensTotal === undefined) {
    throw new ArgumentError(
      `The ${press.name} press, as it is set, needs a document of known length, which a stream is not`,
    );
  }
  if (press.needs?.questions) {
    if (questions.length === 0) {
      throw new ArgumentError(`The ${press.name} press needs at least one question to read for`);
    }
    if (target.most !== undefined && !allKeep(cache, target, target.most)) {
      throw new ArgumentError(
        `The ${press.name} press needs one budget for all heads: questions are asked of all together`,
      );
    }
    if (!cache.isEven) {
      throw new ContextError(`The ${press.name} press cannot go on where heads hold different numbers of entries`);
    }
  }
  const question = longest(questions);
  const needed = Math.max(target.most ?? 0, cache.longest) + chunkLength + question;
  if (cache.scheme === "contiguous" && needed > contextSize) {
    throw new ContextError(
      `budget ${target.most ?? "of the press's own"}, a chunk of ${chunkLength} and a question of ${question} tokens need ${needed} positions; the window has ${contextSize}`,
    );
  }
  if (cache.scheme === "original") checkRoom(reading, tokensTotal ?? 0);
}

/**
 * In the original scheme what has been read takes positions, kept or not; in the contiguous one what is kept.
 * @throws ContextError when they do not suffice
 */
function checkRoom({ passes: { cache, contextSize }, questions }: Reading, tokens: number): void {
  const question = longest(questions);
  const used = cache.scheme === "original" ? cache.absolutePosition : cache.longest;
  if (used + tokens + question > contextSize) {
    throw new ContextError(
      `${tokens} tokens and a question of ${question} behind ${used} exceed the window of ${contextSize} positions${cache.scheme === "original" ? "; the contiguous scheme reads text of any length" : ""}`,
    );
  }
}

/** Tokens of the longest question. */
function longest(questions: readonly Int32Array[]): number {
  return questions.reduce((most, question) => Math.max(most, question.length), 0);
}
