/** Reads a document chunk by chunk into a cache that never grows beyond its budget and a chunk. */
import { PAGE_ENTRIES } from "../cache/page-form.ts";
import { ArgumentError, ContextError } from "../errors.ts";
import type { Recording, Scoring } from "../model/batch.ts";
import { gathered, pause } from "../pause.ts";
import { countTarget, noTarget } from "../press/budget.ts";
import { siskin } from "../press/methods/siskin.ts";
import type { ModelSelection, PassPress, QuestionPress } from "../press/press.ts";
import { highest, selectAll, spread } from "../press/tools/choose.ts";
import { checkedSelections } from "../press/tools/results.ts";
import { show } from "../show.ts";
import { joined } from "../tokenizer/tokens.ts";
import { checkPress } from "./check-press.ts";
import { chunksOf } from "./chunks.ts";
import { type Course, keepSelected, stepCourse, viewCache } from "./compress.ts";
import { type DocumentText, type DocumentTokens, documentTokens } from "./document.ts";
import { GENERIC_QUESTIONS } from "./generic-questions.ts";
import type { Passes } from "./passes.ts";
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

/** How a document is read. */
export interface ReadOptions {
  /** What will be asked; all share one reading. Where it is not known, default a few generic questions. */
  readonly questions?: string | Iterable<string> | undefined;
  /** Default `siskin()`. A press that scores without questions compresses behind each chunk. */
  readonly press?: QuestionPress | PassPress | undefined;
  /** Entries that every head keeps; default 512. None for a press that says itself how much it keeps. */
  readonly budget?: number | undefined;
  /** Tokens read at once; default 512. */
  readonly chunkLength?: number | undefined;
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

export const READ_OPTIONS = ["questions", "press", "budget", "chunkLength", "onProgress", "signal"] as const;
const DEFAULT_BUDGET = 512;
const DEFAULT_CHUNK = 512;

/** What a reading works on. */
interface Reading {
  readonly passes: Passes;
  readonly press: QuestionPress | PassPress;
  /** Entries to keep after each chunk; undefined for a press that says so itself. */
  readonly budget: number | undefined;
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
  /** Work without pause, in which a press's code may run. @throws DisposedError when that disposes the session */
  step<T>(work: () => T): T;
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
  checkPress(press, ["score", "select", "model", "question"], "read");
  if (onProgress !== undefined && typeof onProgress !== "function") {
    throw new ArgumentError(`onProgress should be a function and is ${show(onProgress)}`);
  }
  const ownBudget = press.kind !== "question" && press.ownBudget;
  if (ownBudget && options.budget !== undefined) {
    throw new ArgumentError(`The ${press.name} press says itself how much it keeps: leave out budget`);
  }
  const prompt = isTokenList(text) ? passes.engine.frameForTokens : passes.engine.frame;
  const questions: Int32Array[] = [];
  for (const question of questionTexts(options.questions))
    questions.push(joined(await gathered(prompt.questionInSteps(question), signal)));
  const document = await documentTokens(text, passes, signal);
  const reading: Reading = {
    passes,
    press: press as PassPress | QuestionPress,
    budget: ownBudget ? undefined : (options.budget ?? DEFAULT_BUDGET),
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
 * Runs the chunks and keeps the best entries after each: behind it every question, blind to the others, scores
 * (DESIGN.md, decision 8), or a press that asks none chooses. A chunk is read whole or not at all.
 * @throws ArgumentError, ContextError when the window is full; what the signal gives when aborted
 */
export async function readChunks(reading: Reading, document: DocumentTokens, session: ReadingSession): Promise<void> {
  const { passes, press, chunkLength, signal, onProgress } = reading;
  const { cache } = passes;
  const course = press.kind === "model" || press.kind === "score" ? press.begin?.() : undefined;
  const start = cache.absolutePosition;
  /** What earlier readings left, of the budget. A budget that grows grows from there. */
  const held = Math.min(reading.budget ?? Number.POSITIVE_INFINITY, cache.longest);
  // A method that looks at the last rows of a chunk wants them all.
  const rows = press.kind === "question" ? 0 : (press.needs?.queryRows ?? 0);
  const least = Number.isFinite(rows) ? rows : 0;
  for await (const chunk of chunksOf(document.tokens, { length: chunkLength, least, signal })) {
    signal.throwIfAborted();
    const read = cache.absolutePosition - start + chunk.length;
    const work = () => readChunk(reading, course, chunk, read, held, session.checkLive);
    // Where two presses compress, the second may fail when the first has dropped entries.
    passes.course = session.step(() => cache.attempt(work, passes.course !== undefined));
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

/**
 * Reads one chunk and compresses.
 * @param read tokens read with it
 * @param held entries held before the first
 * @returns the course of what goes on compressing the session
 */
function readChunk(
  reading: Reading,
  course: ModelSelection | undefined,
  chunk: Int32Array,
  read: number,
  held: number,
  checkLive: () => void,
): Course | undefined {
  const { passes, press, budget = Number.POSITIVE_INFINITY } = reading;
  const { engine, cache } = passes;
  checkRoom(reading, chunk.length);
  const asks = press.kind === "question";
  const grows = asks && press.schedule === "linear";
  const kept = grows ? held + Math.trunc(((budget - held) * read) / reading.tokensTotal!) : budget;
  const fits = cache.longest + chunk.length <= kept && !course && (asks || !press.ownBudget);
  const wanted = asks || fits ? 0 : (press.needs?.queryRows ?? 0);
  const rows = Math.max(wanted, passes.course?.press.needs?.queryRows ?? 0);
  const recorder = new Recorder(engine.core, engine.config, rows > 0 ? ["queries"] : [], chunk.length, rows);
  recorder.batch(0, chunk.length, (record) => {
    if (asks && !fits) readWithQuestions(reading, press, chunk, Math.max(1, kept), record);
    else engine.decoder.forward(cache, { text: chunk, record, hidden: false });
  });
  const view = viewCache(engine, cache, chunk, recorder, true);
  if (!asks && !fits) {
    const target = press.ownBudget ? noTarget(press.name) : countTarget(budget);
    const selections = course
      ? checkedSelections(press.name, view, course.select(view, target))
      : selectAll(press, view, target);
    checkLive();
    keepSelected(engine, cache, selections);
  }
  return passes.course && stepCourse(engine, cache, checkLive, passes.course, view);
}

/** One chunk behind the cache, the questions behind it, and the choice of what stays. */
function readWithQuestions(
  { passes: { engine, cache }, questions }: Reading,
  press: QuestionPress,
  chunk: Int32Array,
  kept: number,
  record: Recording | undefined,
): void {
  const { core, decoder } = engine;
  const { layers, kvHeads } = cache;
  const lists = press.granularity === "head" ? layers * kvHeads : press.granularity === "layer" ? layers : 1;
  const listOf = (layer: number, head: number) =>
    press.granularity === "head" ? layer * kvHeads + head : press.granularity === "layer" ? layer : 0;
  const entries = cache.longest + chunk.length;
  const stride = Math.ceil(entries / PAGE_ENTRIES) * PAGE_ENTRIES;
  core.borrow(lists * stride * 4, (pointer) => {
    core.f32(pointer, lists * stride).fill(0);
    const scoring: Scoring = {
      target: (layer, head) => pointer + listOf(layer, head) * stride * 4,
      factors: press.pooling === "mean" ? meanFactors(questions, entries) : undefined,
    };
    decoder.forward(cache, { text: chunk, questions, scoring, record, hidden: false });
    const chosen = Array.from({ length: lists }, (_, list) => {
      const scores = core.f32(pointer + list * stride * 4, entries).slice();
      return highest(core, spread(scores, press.reach), kept);
    });
    cache.keep((layer, head) => chosen[listOf(layer, head)]!, decoder.rotations);
  });
}

/** FINCH's normalisation: a weight counts as many times as its token sees entries, averaged over a question's tokens. */
function meanFactors(questions: readonly Int32Array[], entries: number): Float32Array {
  return Float32Array.from(
    questions.flatMap((question) => [...question].map((_, row) => (entries + row + 1) / question.length)),
  );
}

function checkReading(reading: Reading): void {
  const { press, budget, chunkLength, questions, tokensTotal } = reading;
  const { contextSize, cache } = reading.passes;
  if (budget !== undefined && (!Number.isInteger(budget) || budget < 1)) {
    throw new ArgumentError(`budget should be a positive whole number of entries and is ${show(budget)}`);
  }
  if (!Number.isInteger(chunkLength) || chunkLength < 1 || chunkLength > LONGEST_CHUNK) {
    throw new ArgumentError(
      `chunkLength should be a positive whole number up to ${LONGEST_CHUNK} and is ${show(chunkLength)}`,
    );
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
  const needed = Math.max(budget ?? 0, cache.longest) + chunkLength + question;
  if (cache.scheme === "contiguous" && needed > contextSize) {
    throw new ContextError(
      `budget ${budget ?? "of the press's own"}, a chunk of ${chunkLength} and a question of ${question} tokens need ${needed} positions; the window has ${contextSize}`,
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
