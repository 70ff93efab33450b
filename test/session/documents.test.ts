/** Three documents of 3,463 to 41,432 tokens with eight planted facts each, answered out of 512 entries in the same memory. */
import { existsSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadModel } from "../../src/node.ts";
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
  book: sharedPath("documents/book.txt")?.replace(/\.txt$/, ""),
};
/** What each reading took, in bytes. */
const memory: { name: string; peak: number; cache: number }[] = [];

for (const [name, path] of Object.entries(documents)) {
  if (path === undefined) continue;
  test(`${name}: one reading answers all eight questions`, async () => {
    assert.ok(existsSync(`${path}.txt`));
    // A model of its own, because the peak of a memory never falls. 8-bit weights take half the time.
    const model = await loadModel("models/nano", { weights: "q8" });
    try {
      const planted = JSON.parse(readFileSync(`${path}.json`, "utf8")) as Planted;
      const tokens = model.tokenizer.encode(readFileSync(`${path}.txt`, "utf8"));
      assert.is(tokens.length, planted.tokens);
      assert.is(planted.questions.length, 8);
      const session = model.createSession();
      await session.read(tokens, { questions: planted.questions.map(({ question }) => question), budget: BUDGET });
      assert.is(session.absolutePosition, model.prompt.head.length + tokens.length);
      memory.push({ name, peak: model.memory.peakBytes, cache: session.byteLength });
      for (const { question, answer } of planted.questions) {
        let given = "";
        for await (const piece of session.ask(question, { maxTokens: 40 })) given += piece;
        assert.ok(given.includes(answer), `${question} ${JSON.stringify(given)} instead of ${answer}`);
      }
      const { layers, keyHeads } = model.config;
      for (let layer = 0; layer < layers; layer++) {
        for (let head = 0; head < keyHeads; head++) assert.is(session.cacheLength(layer, head), BUDGET);
      }
    } finally {
      model.dispose();
    }
  });
}

test("the cache is the same for every length, and the peak of all memory does not grow", () => {
  assert.ok(memory.length >= 2);
  const [first] = memory as [(typeof memory)[0]];
  for (const { name, cache, peak } of memory) {
    assert.is(cache, first.cache, name);
    // The documents' questions differ by a few tokens, and so do the rows in flight.
    assert.ok(Math.abs(peak - first.peak) < 0.01 * first.peak, `${name}: ${peak} instead of ${first.peak}`);
  }
  // Keys and values of 8 layers of 2 heads of 64 dimensions, and the table of their pages.
  const entries = BUDGET * 8 * 2 * 2 * 64 * BYTES_PER_FLOAT;
  assert.ok(first.cache >= entries && first.cache < entries * 1.01, `${first.cache} bytes for ${entries} of entries`);
});

test.run();
