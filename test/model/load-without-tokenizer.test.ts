/** A model that came without a tokenizer computes with tokens; only what needs text throws, and says what is missing. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FormatError, loadModel, type ModelSource, snapKV } from "../../src/runtimes/node.ts";
import { assertSame } from "../support/assertions.ts";
import { text } from "../support/files.ts";
import { tinyFolder, tinyGguf, tinyModel } from "../support/tiny-model.ts";

const test = suite("without a tokenizer");
const tokens = [72, 101, 108, 108, 111, 72, 101, 108, 108, 111];
const tiny = tinyModel();
const { "tokenizer.json": _, ...folder } = tinyFolder(tiny);
const vocabulary = ["model", "pre", "tokens", "merges", "token_type", "bos_token_id", "eos_token_id"];
const none = Object.fromEntries(vocabulary.map((key) => [`tokenizer.ggml.${key}`, undefined]));

const sources: [string, ModelSource, ModelSource, RegExp][] = [
  ["a folder", folder, tinyFolder(tiny), /^model: has no tokenizer: tokenizer\.json is missing$/],
  [
    "a folder with a tokenizer that is not read",
    { ...folder, "tokenizer.model": new Uint8Array(5) },
    tinyFolder(tiny),
    /tokenizer\.json is missing \(there is tokenizer\.model\)$/,
  ],
  ["a GGUF", tinyGguf(tiny, { keys: none }), tinyGguf(tiny), /^model\.gguf: has no tokenizer: the keys/],
  [
    "a GGUF that says so",
    tinyGguf(tiny, { keys: { ...none, "tokenizer.ggml.model": text("no_vocab") } }),
    tinyGguf(tiny),
    /^model\.gguf: has no tokenizer: the keys/,
  ],
];

for (const [name, source, whole, message] of sources) {
  test(`${name}: tokens are read, kept and saved as ever`, async () => {
    const [model, other] = [await loadModel(source), await loadModel(whole)];
    const session = model.createSession();
    const twin = other.createSession();
    assertSame(session.prefill(tokens), twin.prefill(tokens));
    assertSame(session.decode(5), twin.decode(5));
    const opened = model.openSession(session.save());
    assertSame(opened.decode(7), twin.decode(7));
    const compressed = { press: snapKV({ windowSize: 4 }), budget: 6, chunkLength: 8 };
    const reader = model.createSession();
    await reader.read(tokens, compressed);
    assert.is(reader.cacheLength(0, 0), 6);
    assert.throws(() => other.openSession(session.save()), /belongs to the model/);
    model.dispose();
    other.dispose();
  });

  test(`${name}: text needs one`, async () => {
    const model = await loadModel(source);
    const session = model.createSession();
    const isMissing = (error: unknown) => error instanceof FormatError && message.test(error.message);
    assert.throws(() => model.tokenizer, isMissing);
    assert.throws(() => session.tokenizer, isMissing);
    assert.throws(() => model.frame, isMissing);
    for (const work of [
      () => session.read("text"),
      () => session.read(tokens),
      () => session.read(tokens, { press: snapKV(), questions: ["What?"] }),
      () => session.ask("What?").next(),
      () => session.generate("text").next(),
    ]) {
      assert.ok(isMissing(await work().catch((error: unknown) => error)), String(work));
    }
    assert.is(session.absolutePosition, 0);
    model.dispose();
  });
}

test("a tokenizer that is there and broken is refused", async () => {
  const broken: ModelSource[] = [
    { ...folder, "tokenizer.json": new TextEncoder().encode("{}") },
    tinyGguf(tiny, { keys: { "tokenizer.ggml.model": undefined } }),
    tinyGguf(tiny, { keys: { "tokenizer.ggml.tokens": undefined } }),
  ];
  for (const source of broken) {
    const error = await loadModel(source).catch((reason) => reason);
    assert.instance(error, FormatError, String(error));
  }
});

test.run();
