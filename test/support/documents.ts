/** The document that every runtime reads, and the check of the answers against what was planted in it. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import * as assert from "uvu/assert";

/** Path without extension; the questions lie in the .json beside the .txt. */
export const documentPath = resolve("test/fixtures/documents/chapter");

const description = JSON.parse(readFileSync(`${documentPath}.json`, "utf8"));
const planted: { question: string; answer: string }[] = description.questions;

/** How many tokens the text has by nano's tokenizer. */
export const tokenCount: number = description.tokens;

export const questions = planted.map(({ question }) => question);

export const answers = planted.map(({ answer }) => answer);

/** @throws AssertionError at the first answer that does not contain what was planted */
export function checkAnswers(answers: readonly string[]): void {
  assert.is(answers.length, planted.length);
  for (const [index, { question, answer }] of planted.entries()) {
    assert.ok(answers[index]!.includes(answer), `${question} ${answer}, not ${answers[index]}`);
  }
}
