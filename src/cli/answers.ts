/** Asks the questions, and prints the answers as they come or as one JSON object, with what they rest on. */
import process from "node:process";
import type { AnswerEnd } from "../session/generate.ts";
import type { Model } from "../session/model.ts";
import type { Session } from "../session/session.ts";
import { count } from "./figures.ts";
import type { DrawingArguments } from "./options.ts";
import type { Quote, Quotes } from "./quotes.ts";
import { loopStart } from "./repetition.ts";

/** Why an answer ended: `repetition` where it would have gone on in a loop. */
export type Reason = AnswerEnd["reason"] | "repetition";

/** An answer and what it rests on. */
export interface FullAnswer {
  readonly question: string;
  readonly answer: string;
  /** Whether the model holds it likely enough. */
  readonly found: boolean;
  /** The geometric mean of the probabilities of its tokens. */
  readonly likelihood: number;
  readonly reason: Reason;
  readonly quotes: readonly Quote[];
}

/** How questions are asked. */
export interface Asking {
  readonly drawing: DrawingArguments;
  /** Answers that are less likely count as not found. */
  readonly notFound: number;
  /** What answers are quoted from, where the text is at hand. */
  readonly quotes: Quotes | undefined;
  readonly signal: AbortSignal;
}

/**
 * Text as it is drawn, to its end or to where it begins to repeat itself.
 * @param begin starts it and is given what hears of its end
 * @param show is given pieces as they come
 * @returns the text, without the loop
 */
export async function drawn(
  begin: (onEnd: (end: AnswerEnd) => void) => AsyncIterable<string>,
  show: (piece: string) => void,
  guarded: boolean,
): Promise<{ text: string; reason: Reason }> {
  let text = "";
  let reason: Reason = "end";
  const pieces = begin((end) => {
    reason = end.reason;
  });
  for await (const piece of pieces) {
    text += piece;
    show(piece);
    const loop = guarded ? loopStart(text) : undefined;
    if (loop !== undefined) return { text: text.slice(0, loop), reason: "repetition" };
  }
  return { text, reason };
}

/** @param show is given pieces of the answer as they come */
async function asked(
  session: Session,
  question: string,
  asking: Asking,
  show: (piece: string) => void,
): Promise<FullAnswer> {
  const { drawing, notFound, quotes, signal } = asking;
  const { text, reason } = await drawn((onEnd) => session.ask(question, { ...drawing, onEnd, signal }), show, true);
  const { likelihood, sources } = await session.review(question, text);
  const found = text.trim() !== "" && likelihood >= notFound;
  return {
    question,
    answer: text,
    found,
    likelihood: Number(likelihood.toFixed(3)),
    reason,
    quotes: quotes?.of(sources) ?? [],
  };
}

/** Answers all questions without a word. */
export async function collectAnswers(
  session: Session,
  questions: readonly string[],
  asking: Asking,
): Promise<FullAnswer[]> {
  const answers: FullAnswer[] = [];
  for (const question of questions) answers.push(await asked(session, question, asking, () => {}));
  return answers;
}

/**
 * Writes each answer, below its question where there are several: on a terminal as it comes, elsewhere when it is whole, and "not found"
 * in place of a guess.
 */
export async function printAnswers(
  session: Session,
  questions: readonly string[],
  asking: Asking,
): Promise<FullAnswer[]> {
  const terminal = process.stdout.isTTY === true;
  const answers: FullAnswer[] = [];
  for (const [index, question] of questions.entries()) {
    if (questions.length > 1) process.stdout.write(`${index > 0 ? "\n" : ""}${question}\n`);
    const full = await asked(session, question, asking, (piece) => terminal && process.stdout.write(piece));
    const { answer, found, likelihood, reason, quotes } = full;
    const guess = `not found (${percent(likelihood)} sure of the answer it has)`;
    if (terminal)
      process.stdout.write(
        `${reason === "repetition" || reason === "length" ? " ..." : ""}\n${found ? "" : `${guess}\n`}`,
      );
    else process.stdout.write(`${found ? answer : "not found"}\n`);
    if (found) for (const quote of quotes) process.stdout.write(quoted(quote));
    answers.push(full);
  }
  return answers;
}

function quoted({ document, text, start, end }: Quote): string {
  // A document must not move the cursor: control characters are left out.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  const words = text.replace(/\s+/g, " ").replace(/[\0-\x1f\x7f-\x9f]/g, "");
  return `  “${words}” (${document}, characters ${count(start)} to ${count(end)})\n`;
}

function percent(part: number): string {
  return `${Math.round(100 * part)}%`;
}

/** What --json prints beside the answers: what they were made with. */
export function figures(session: Session, model: Model) {
  return {
    // Of the documents, without the prompt's head.
    tokens: session.absolutePosition - model.frame.head.length,
    cacheEntries: session.cacheLength(0, 0),
    cacheBytes: session.byteLength,
    peakBytes: model.memory.peakBytes,
  };
}
