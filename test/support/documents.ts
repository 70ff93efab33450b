/** Documents with planted facts, and the check of answers against what was planted. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import * as assert from "uvu/assert";

interface PlantedDocument {
  /** Path without extension; the questions lie in the .json beside the .txt. */
  readonly documentPath: string;
  /** How many tokens the text has by nano's tokenizer. */
  readonly tokenCount: number;
  readonly questions: readonly string[];
  readonly answers: readonly string[];
  /** @throws AssertionError at the first answer that does not contain what was planted */
  checkAnswers(given: readonly string[]): void;
}

function planted(path: string): PlantedDocument {
  const documentPath = resolve(path);
  const description = JSON.parse(readFileSync(`${documentPath}.json`, "utf8"));
  const facts: { question: string; answer: string }[] = description.questions;
  return {
    documentPath,
    tokenCount: description.tokens,
    questions: facts.map(({ question }) => question),
    answers: facts.map(({ answer }) => answer),
    checkAnswers(given) {
      assert.is(given.length, facts.length);
      for (const [index, { question, answer }] of facts.entries()) {
        assert.ok(given[index]!.includes(answer), `${question} ${answer}, not ${given[index]}`);
      }
    },
  };
}

/** Of 3,463 tokens, with eight facts. */
export const { documentPath, tokenCount, questions, answers, checkAnswers } = planted(
  "test/fixtures/documents/chapter",
);

/** The chapter's first 959 tokens, with five of the facts: for what needs no more. */
export const page = planted("examples/documents/page");
