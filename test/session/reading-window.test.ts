/** Original positions are used up by reading, whatever is dropped: a document beyond the window is refused. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ContextError, type DocumentText, loadModel, type SessionOptions } from "../../src/runtimes/node.ts";

const test = suite("reading and the window");
// Random weights; a window of 2,048 tokens.
const model = await loadModel("test/fixtures/gguf/tiny-old.gguf");
test.after(() => model.dispose());

const questions = "Where?";
const tokens = Int32Array.from({ length: 3000 }, (_, index) => 40 + ((index * 7919) % 200));
const { length: question } = model.frame.question(questions);
const { length: head } = model.frame.head;

/** How far a session comes, and the error it ends with. */
async function read(text: DocumentText, options: SessionOptions): Promise<[number, unknown]> {
  const session = model.createSession(options);
  try {
    const error = await session.read(text, { questions, budget: 64, chunkLength: 256 }).catch((thrown) => thrown);
    return [session.absolutePosition, error];
  } finally {
    session.dispose();
  }
}

test("a document of known length is refused before it is read", async () => {
  const most = 2048 - question - head;
  assert.equal(await read(tokens.subarray(0, most), { scheme: "original" }), [head + most, undefined]);
  const [position, error] = await read(tokens.subarray(0, most + 1), { scheme: "original" });
  assert.is(position, 0);
  assert.instance(error, ContextError);
  assert.match((error as Error).message, /exceed the window of 2048 positions/);
});

test("a stream is read as far as the window goes", async () => {
  const text = model.tokenizer.decode(tokens);
  const pieces = Array.from({ length: Math.ceil(text.length / 50) }, (_, i) => text.slice(i * 50, (i + 1) * 50));
  const [position, error] = await read(pieces, { scheme: "original" });
  assert.instance(error, ContextError);
  assert.is(position, 7 * 256);
});

test("contiguous positions are never used up, and a window may be said to be larger", async () => {
  assert.equal(await read(tokens, {}), [head + 3000, undefined]);
  assert.equal(await read(tokens, { scheme: "original", contextSize: 4096 }), [head + 3000, undefined]);
});

test.run();
