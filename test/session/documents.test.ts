/** Three documents of 3,463 to 41,432 tokens with eight planted facts each, answered out of 512 entries in the same memory. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadModel } from "../../src/runtimes/node.ts";
import { needs } from "../support/needs.ts";
import { sharedPath } from "../support/shared.ts";

const test = suite("documents");

interface Planted {
  readonly tokens: number;
  readonly questions: readonly { readonly question: string; readonly answer: string }[];
}

/** Entries kept of each document. */
const BUDGET = 512;
const BYTES_PER_FLOAT = 4;

const documents = {
  chapter: "test/fixtures/documents/chapter",
  story: "examples/documents/story",
  book: sharedPath("documents/book"),
};
/** What each reading left in the cache, in bytes. */
const caches: number[] = [];

for (const [name, path] of Object.entries(documents)) {
  needs(test, `${path}.txt`, `${name}: one reading answers all eight questions`, async () => {
    // 8-bit weights take half the time.
    const model = await loadModel("models/nano", { weights: "q8" });
    try {
      const planted = JSON.parse(readFileSync(`${path}.json`, "utf8")) as Planted;
      const tokens = model.tokenizer.encode(readFileSync(`${path}.txt`, "utf8"));
      assert.is(tokens.length, planted.tokens);
      assert.is(planted.questions.length, 8);
      const session = model.createSession();
      await session.read(tokens, { questions: planted.questions.map(({ question }) => question), budget: BUDGET });
      assert.is(session.absolutePosition, model.frame.head.length + tokens.length);
      caches.push(session.byteLength);
      for (const { question, answer } of planted.questions) {
        let given = "";
        for await (const piece of session.ask(question, { maxTokens: 40 })) given += piece;
        assert.ok(given.includes(answer), `${question} ${JSON.stringify(given)} instead of ${answer}`);
      }
      const { layers, kvHeads } = model.config;
      for (let layer = 0; layer < layers; layer++) {
        for (let head = 0; head < kvHeads; head++) assert.is(session.cacheLength(layer, head), BUDGET);
      }
    } finally {
      model.dispose();
    }
  });
}

test("the cache is the same for every length", () => {
  assert.ok(caches.length >= 2);
  // Keys and values of 8 layers of 2 heads of 64 dimensions, and the table of their pages.
  const entries = BUDGET * 8 * 2 * 2 * 64 * BYTES_PER_FLOAT;
  for (const bytes of caches) {
    assert.is(bytes, caches[0]);
    assert.ok(bytes >= entries && bytes < entries * 1.01, `${bytes} bytes for ${entries} of entries`);
  }
});

test("the peak of all memory is the same to the byte for texts of 2,560 and 10,240 tokens", async () => {
  const text = readFileSync(`${documents.story}.txt`, "utf8");
  const peaks: number[] = [];
  for (const length of [2560, 10_240]) {
    // A model of its own, because the peak of a memory never falls.
    const model = await loadModel("models/nano", { weights: "q8" });
    const session = model.createSession();
    const tokens = model.tokenizer.encode(text).subarray(0, length);
    await session.read(tokens, { questions: "What is the name of the house?", budget: 256 });
    peaks.push(model.memory.peakBytes);
    model.dispose();
  }
  assert.is(peaks[1], peaks[0]);
});

test.run();
