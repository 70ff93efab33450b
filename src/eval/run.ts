/** Measures one document: reads it as a cell says, asks its question, and scores answer and evidence. */

import type { Press } from "../press/press.ts";
import { checkPress } from "../press/tools/check-press.ts";
import type { Model } from "../session/model.ts";
import type { Session } from "../session/session.ts";
import { baselineText, isBaseline } from "./baselines.ts";
import type { Cell } from "./grid.ts";
import { type Score, scoreAnswer, scoreEvidence } from "./score.ts";
import type { Task } from "./task.ts";

/** Makes a method's press for a question of so many tokens. */
export type MakePress = (questionTokens: number) => Press;

/** What a document came to. */
export interface Attempt extends Score {
  readonly answer: string;
  /** The part of the answers' own entries that survived reading, 0 to 1; undefined where it is the whole text, or nothing was read of it. */
  readonly evidence?: number | undefined;
  /** Entries of a head after reading. */
  readonly entries: number;
  readonly seconds: number;
}

/**
 * One document, one question.
 * @param make the cell's method; undefined for `all` and baselines
 * @returns undefined where the task is nothing for the cell's baseline
 * @throws ArgumentError for a press that cannot be measured so; what `signal` gives when aborted
 */
export async function attempt(
  model: Model,
  cell: Cell,
  make: MakePress | undefined,
  task: Task,
  signal: AbortSignal | undefined,
): Promise<Attempt | undefined> {
  const started = performance.now();
  const { frame, tokenizer } = model;
  const question = frame.question(task.question);
  const asked = question.subarray(0, question.length - frame.tail.length);
  const press = make?.(asked.length);
  const { maxTokens } = task;
  const instead = isBaseline(cell.method) ? baselineText(tokenizer, cell.method, task, cell.kept) : task.text;
  if (instead === undefined) return undefined;
  const tokens = instead === task.text ? task.tokens : tokenizer.encode(instead);
  const begun = tokenizer.encode(task.answerStart ?? "");
  // Beyond the model's window too: what becomes of answers there is part of the picture.
  const room = frame.head.length + tokens.length + question.length + begun.length + maxTokens;
  const contextSize = Math.max(room, model.config.maxPositions);
  const session = model.createSession({ scheme: cell.scheme, cache: cell.cache, contextSize });
  try {
    const inPass = cell.kept?.ratio !== undefined && press && !press.needs?.questions && cell.question === "known";
    await readTask(model, session, cell, press, inPass ? [...tokens, ...asked] : tokens, task.question, signal);
    const evidence = isBaseline(cell.method) ? undefined : scoreEvidence(session, task, frame.head.length);
    const entries = meanEntries(session);
    const rest = inPass ? frame.tail : question;
    session.prefill([...rest, ...begun]);
    let answer = "";
    for await (const piece of session.generate("", { maxTokens, signal })) answer += piece;
    const seconds = (performance.now() - started) / 1000;
    return { ...scoreAnswer(answer, task), answer, evidence, entries, seconds };
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
    // A model without a begin token may be given a text of no passages.
    if (whole.length > 0) session.prefill(whole);
    return;
  }
  checkPress(press, ["score", "select", "model"], "press of eval");
  if (kept.ratio !== undefined && !press.needs?.questions) {
    session.prefill(whole, { press, ...kept });
    return;
  }
  const questions = question === "known" ? text : undefined;
  await session.read(Int32Array.from(tokens), { press, questions, ...kept, chunkLength, signal });
}

function meanEntries(session: Session): number {
  const { layers, kvHeads } = session.config;
  let sum = 0;
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < kvHeads; head++) sum += session.cacheLength(layer, head);
  }
  return sum / (layers * kvHeads);
}
