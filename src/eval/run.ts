/** Measures cells: reads a task's document as a cell says, asks its question, and scores answer and evidence. */

import type { Press } from "../press/press.ts";
import { readingPress } from "../press/tools/check.ts";
import type { Model } from "../session/model.ts";
import type { Session } from "../session/session.ts";
import type { Cell } from "./grid.ts";
import { scoreAnswer, scoreEvidence } from "./score.ts";
import { makeTask, type Task } from "./tasks.ts";

/** Makes a method's press for a question of so many tokens. */
export type MakePress = (questionTokens: number) => Press;

/** What a cell came to, means over its samples. */
export interface Measured {
  readonly samples: number;
  /** The part of the answers that was right, 0 to 1. */
  readonly right: number;
  /** The part of the answers' own entries that survived reading, 0 to 1. */
  readonly evidence: number;
  /** Entries of a head after reading. */
  readonly entries: number;
  readonly seconds: number;
}

/** Tokens of an answer at most: some words around a number of seven digits, and further numbers. */
const ANSWER_TOKENS = 32;
const MORE_TOKENS = 16;

/**
 * Measures one cell.
 * @param make the cell's method; undefined for `all`
 * @param seed with the sample's index gives its document
 * @throws ArgumentError for a press that cannot be measured so; what `signal` gives when aborted
 */
export async function measure(
  model: Model,
  cell: Cell,
  make: MakePress | undefined,
  { samples, seed, signal }: { samples: number; seed: number; signal?: AbortSignal | undefined },
): Promise<Measured> {
  const started = performance.now();
  const sum = { right: 0, evidence: 0, entries: 0 };
  for (let index = 0; index < samples; index++) {
    const task = makeTask(model.tokenizer, cell.task, cell.length, seed, index);
    const result = await attempt(model, cell, make, task, signal);
    sum.right += result.right;
    sum.evidence += result.evidence;
    sum.entries += result.entries;
  }
  return {
    samples,
    right: sum.right / samples,
    evidence: sum.evidence / samples,
    entries: sum.entries / samples,
    seconds: (performance.now() - started) / 1000,
  };
}

/** One document, one question. */
async function attempt(
  model: Model,
  cell: Cell,
  make: MakePress | undefined,
  task: Task,
  signal: AbortSignal | undefined,
) {
  const { frame } = model;
  const question = frame.question(task.question);
  const asked = question.subarray(0, question.length - frame.tail.length);
  const press = make?.(asked.length);
  const maxTokens = ANSWER_TOKENS + MORE_TOKENS * (task.answers.length - 1);
  // Beyond the model's window too: what becomes of answers there is part of the picture.
  const room = frame.head.length + task.tokens.length + question.length + maxTokens;
  const contextSize = Math.max(room, model.config.maxPositions);
  const session = model.createSession({ scheme: cell.scheme, cache: cell.cache, contextSize });
  try {
    const inPass = cell.kept?.ratio !== undefined && press?.kind !== "question" && cell.question === "known";
    await readTask(
      model,
      session,
      cell,
      press,
      inPass ? [...task.tokens, ...asked] : task.tokens,
      task.question,
      signal,
    );
    const figures = { evidence: scoreEvidence(session, task, frame.head.length), entries: meanEntries(session) };
    if (inPass) session.prefill(frame.tail);
    const pieces = inPass
      ? session.generate("", { maxTokens, signal })
      : session.ask(task.question, { maxTokens, signal });
    let answer = "";
    for await (const piece of pieces) answer += piece;
    return { ...figures, right: scoreAnswer(answer, task.answers) };
  } finally {
    session.dispose();
  }
}

/**
 * Reads the document. With a budget in chunks; with a ratio in one pass, as kvpress does, unless the press asks questions
 * behind every chunk.
 */
async function readTask(
  model: Model,
  session: Session,
  { kept, question, chunkLength }: Cell,
  press: Press | undefined,
  tokens: ArrayLike<number>,
  text: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { head } = model.frame;
  const whole = [...head, ...Array.from(tokens)];
  if (!kept || !press) {
    session.prefill(whole);
    return;
  }
  const reading = readingPress(press);
  if (kept.ratio !== undefined && reading.kind !== "question") {
    session.prefill(whole, { press: reading, ratio: kept.ratio });
    return;
  }
  const budget = kept.budget ?? Math.max(1, Math.round(whole.length * (1 - kept.ratio)));
  const questions = question === "known" ? text : undefined;
  await session.read(Int32Array.from(tokens), { press: reading, questions, budget, chunkLength, signal });
}

function meanEntries(session: Session): number {
  const { layers, kvHeads } = session.config;
  let sum = 0;
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < kvHeads; head++) sum += session.cacheLength(layer, head);
  }
  return sum / (layers * kvHeads);
}
