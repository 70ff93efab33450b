/** Models and documents that the suites work with: the repository's own, and larger ones from the shared folder. */
import { existsSync, readFileSync } from "node:fs";
import type { Model } from "../../src/index.ts";
import { sharedPath, smolLM2 } from "../../test/support/shared.ts";

export const NANO = "models/nano";

/** A path; undefined, after saying so, where nothing is there. */
function ifThere(path: string): string | undefined {
  if (existsSync(path)) return path;
  console.log(`skipped: there is no ${path}`);
  return undefined;
}

/** Path of SmolLM2-135M-Instruct in Q4_1, where there is one. */
export function smolLm2(): string | undefined {
  return ifThere(smolLM2);
}

/** A text with questions about it. */
export interface Document {
  readonly name: string;
  readonly text: string;
  readonly questions: readonly string[];
}

const documents = {
  chapter: "test/fixtures/documents/chapter",
  story: "examples/documents/story",
  book: sharedPath("documents/book"),
};

/** `chapter` and `story`, of 3,500 and 16,000 tokens, are in the repository; `book`, of 41,000, may be beside it. */
export function openDocument(name: keyof typeof documents): Document | undefined {
  const path = ifThere(`${documents[name]}.txt`)?.slice(0, -4);
  if (path === undefined) return undefined;
  const { questions } = JSON.parse(readFileSync(`${path}.json`, "utf8")) as { questions: { question: string }[] };
  return { name, text: readFileSync(`${path}.txt`, "utf8"), questions: questions.map(({ question }) => question) };
}

/** The first `count` tokens of a text of which there is enough, without anything before it. */
export function promptTokens(model: Model, count: number): Int32Array {
  const text = readFileSync("LICENSE", "utf8");
  return model.tokenizer.encode(text).subarray(0, count);
}
