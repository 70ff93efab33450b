/** Models and documents that the suites work with: the repository's own, and larger ones from the shared folder. */
import { readFileSync } from "node:fs";
import type { Model } from "../../src/index.ts";
import { sharedPath } from "../../test/support/shared.ts";

export const NANO = "models/nano";

/** Path of SmolLM2-135M-Instruct in Q4_1, where there is one. */
export function smolLm2(): string | undefined {
  return sharedPath("models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
}

/** A text with questions about it. */
export interface Document {
  readonly name: string;
  readonly text: string;
  readonly questions: readonly string[];
}

/** `chapter`, of 3,500 tokens, is in the repository; `story` and `book`, of 16,000 and 41,000, in the shared folder. */
export function openDocument(name: "chapter" | "story" | "book"): Document | undefined {
  const path =
    name === "chapter" ? "test/fixtures/documents/chapter" : sharedPath(`documents/${name}.txt`)?.slice(0, -4);
  if (path === undefined) return undefined;
  const { questions } = JSON.parse(readFileSync(`${path}.json`, "utf8")) as { questions: { question: string }[] };
  return { name, text: readFileSync(`${path}.txt`, "utf8"), questions: questions.map(({ question }) => question) };
}

/** The first `count` tokens of a text of which there is enough, without anything before it. */
export function promptTokens(model: Model, count: number): Int32Array {
  const text = readFileSync("LICENSE", "utf8");
  return model.tokenizer.encode(text).subarray(0, count);
}
