/** Capsules: the opened session goes on bit for bit as the saved one, and no other or altered bytes are taken. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Hash } from "../../src/core/hash.ts";
import { readSafetensors } from "../../src/formats/safetensors-arrays.ts";
import { writeSafetensors } from "../../src/formats/safetensors-write.ts";
import { decoding } from "../../src/press/wrappers/decoding.ts";
import { FormatError, knorm, loadModel, type Model, type Session } from "../../src/runtimes/node.ts";
import { assertSame } from "../support/assertions.ts";
import { checkAnswers, documentPath, questions } from "../support/documents.ts";
import { integers } from "../support/random.ts";

const test = suite("capsule");
let model: Model;
let tokens: Int32Array;

test.before(async () => {
  model = await loadModel("models/nano");
  tokens = Int32Array.from(model.tokenizer.encode(readFileSync("LICENSE", "utf8"))).subarray(0, 400);
});
test.after(() => model.dispose());

async function gather(pieces: AsyncIterable<string>): Promise<string> {
  let all = "";
  for await (const piece of pieces) all += piece;
  return all;
}

/** Bytes in use behind a batch that is always the same: the decoder keeps the last one's tape. */
function bytesInUse(of = model): number {
  const session = of.createSession();
  session.decode(0);
  session.dispose();
  return of.memory.bytesInUse;
}

const isFormatError = (error: Error) => error instanceof FormatError;

/** A session whose heads hold different entries, and different numbers of them; the first holds `least`. */
function uneven(scheme: "contiguous" | "original", cache: "f32" | "q8" = "f32", least = 5): Session {
  const session = model.createSession({ scheme, cache, contextSize: 1000 });
  session.prefill(tokens.subarray(0, 200));
  session.keep(
    Array.from({ length: 8 }, (_, layer) =>
      Array.from({ length: 2 }, (_, head) => Array.from({ length: least + 9 * layer + head }, (_, i) => 2 * i + head)),
    ),
  );
  return session;
}

for (const [scheme, cache] of [
  ["contiguous", "f32"],
  ["original", "f32"],
  ["contiguous", "q8"],
  ["original", "q8"],
] as const) {
  test(`what is opened is what was saved, and goes on with the same bits, ${scheme}, ${cache}`, () => {
    const session = uneven(scheme, cache);
    const opened = model.openSession(session.save());
    assert.is(opened.scheme, scheme);
    for (const next of [tokens.subarray(200, 260), tokens.subarray(260, 261)]) {
      for (let layer = 0; layer < 8; layer++) {
        for (let head = 0; head < 2; head++) {
          assertSame(opened.keys(layer, head), session.keys(layer, head));
          assertSame(opened.values(layer, head), session.values(layer, head));
          assert.equal(opened.positions(layer, head), session.positions(layer, head));
        }
      }
      assert.is(opened.absolutePosition, session.absolutePosition);
      assertSame(opened.prefill(next), session.prefill(next));
    }
    opened.compress(knorm(), { budget: 20 });
    session.compress(knorm(), { budget: 20 });
    assert.equal(opened.save(), session.save());
    assert.throws(() => opened.prefill(new Int32Array(1000)), /window of 1000/);
    opened.dispose();
    session.dispose();
  });
}

test("a session that has read nothing can be saved", () => {
  const [empty, fresh] = [model.openSession(model.createSession().save()), model.createSession()];
  assertSame(empty.prefill(tokens.subarray(0, 9)), fresh.prefill(tokens.subarray(0, 9)));
});

test("a document read once is answered from its capsule, word for word", async () => {
  const session = model.createSession();
  await session.read(readFileSync(`${documentPath}.txt`, "utf8"), { questions, budget: 512 });
  const bytes = session.save();
  const opened = model.openSession(bytes);
  const answers = [];
  for (const question of questions) answers.push(await gather(opened.ask(question)));
  checkAnswers(answers);
  for (const [index, question] of questions.entries()) assert.is(await gather(session.ask(question)), answers[index]);
  // 512 entries of 16 heads, keys and values of 64 dimensions; the positions, which all share; no more than 8 kB beside.
  const content = 512 * 16 * 2 * model.config.headSize * 4 + 512 * 4;
  assert.ok(bytes.length >= content && bytes.length < content + 8000, `${bytes.length} bytes`);
  opened.dispose();
  session.dispose();
});

test("a capsule of 512 entries in 8 bits takes less than 1.2 MB and answers", async () => {
  const session = model.createSession({ cache: "q8" });
  await session.read(readFileSync(`${documentPath}.txt`, "utf8"), { questions, budget: 512 });
  const bytes = session.save();
  assert.ok(bytes.length <= 1_200_000, `${bytes.length} bytes`);
  session.dispose();
  const opened = model.openSession(bytes);
  const answers = [];
  for (const question of questions) answers.push(await gather(opened.ask(question)));
  checkAnswers(answers);
  opened.dispose();
});

test("entries that were dropped are not in the capsule", () => {
  const [one, other] = [tokens.subarray(0, 40), Int32Array.from(tokens.subarray(0, 40)).fill(tokens[100]!, 20)];
  const saved = [one, other].map((text) => {
    const session = model.createSession();
    session.prefill(text);
    session.keep(Array.from({ length: 8 }, () => [0, 1].map(() => Array.from({ length: 20 }, (_, i) => i))));
    const bytes = session.save();
    session.dispose();
    return bytes;
  });
  assert.equal(saved[0], saved[1]);
});

test("no altered byte and no missing end goes unnoticed, and nothing stays allocated", async () => {
  // Two layers: its capsules are small enough to alter every byte.
  const small = await loadModel("test/fixtures/gguf/tiny-old.gguf");
  const session = small.createSession();
  session.prefill([1]);
  const bytes = session.save();
  session.dispose();
  const before = bytesInUse(small);
  const draw = integers(5);
  for (let at = 0; at < bytes.length; at++) {
    const flip = 1 + draw(255);
    bytes[at]! ^= flip;
    assert.throws(() => small.openSession(bytes), isFormatError, `byte ${at}`);
    bytes[at]! ^= flip;
  }
  for (let length = 0; length < bytes.length; length += 97) {
    const part = bytes.subarray(0, length);
    assert.throws(() => small.openSession(part), isFormatError, `${length} bytes`);
  }
  assert.is(bytesInUse(small), before);
  small.openSession(bytes).dispose();
  assert.is(bytesInUse(small), before);
  small.dispose();
});

/** The capsule with changed metadata or positions, and a checksum that is right again. */
function forged(
  bytes: Uint8Array,
  change: (metadata: Record<string, string>, positions: Int32Array) => void,
): Uint8Array {
  const file = readSafetensors(bytes);
  const metadata = Object.fromEntries(file.metadata);
  const tensors = Object.fromEntries(
    file.names.map((name) => {
      const dtype = file.dtype(name) as "F32" | "I32" | "U8";
      const data = dtype === "F32" ? file.f32(name) : dtype === "I32" ? file.i32(name) : file.u8(name);
      return [name, { dtype, shape: file.shape(name), data }];
    }),
  );
  change(metadata, tensors["positions.0"]!.data as Int32Array);
  const { checksum, ...others } = tensors;
  const result = writeSafetensors({ ...others, checksum: checksum! }, metadata);
  result.set(new Hash().update(result.subarray(0, -8)).digest(), result.length - 8);
  return result;
}

test("what does not fit is named", () => {
  const session = uneven("contiguous");
  const bytes = session.save();
  const before = bytesInUse();
  const cases: [RegExp, (metadata: Record<string, string>, positions: Int32Array) => void][] = [
    [/is a safetensors file and not a capsule/, (metadata) => (metadata.format = "pt")],
    [/version 2; this release reads version 1/, (metadata) => (metadata.version = "2")],
    [/belongs to the model 00, and this one is [0-9a-f]{16}/, (metadata) => (metadata.model = "00")],
    [/form q3/, (metadata) => (metadata.form = "q3")],
    [/unknown scheme sliding/, (metadata) => (metadata.scheme = "sliding")],
    [/impossible window "no"/, (metadata) => (metadata.contextSize = "no")],
    [/impossible absolute position "1.5"/, (metadata) => (metadata.absolutePosition = "1.5")],
    [/positions.0 should ascend below 200; 0 follows 0/, (_, positions) => (positions[1] = 0)],
    [/positions.0 should ascend below 200; 200 follows 6/, (_, positions) => (positions[4] = 200)],
  ];
  assert.equal(
    forged(bytes, () => undefined),
    bytes,
    "an unchanged forgery is the capsule",
  );
  for (const [message, change] of cases) assert.throws(() => model.openSession(forged(bytes, change)), message);
  assert.throws(() => model.openSession(new Uint8Array(readFileSync("LICENSE"))), isFormatError);
  assert.is(bytesInUse(), before);
  session.dispose();
});

test("another model refuses; the same model loaded again does not", async () => {
  const session = uneven("contiguous");
  const bytes = session.save();
  const other = await loadModel("models/nano", { weights: "q8" });
  assert.throws(() => other.openSession(bytes), /belongs to the model/);
  other.dispose();
  const again = await loadModel("models/nano");
  const opened = again.openSession(bytes);
  assertSame(opened.prefill(tokens.subarray(200, 240)), session.prefill(tokens.subarray(200, 240)));
  again.dispose();
  session.dispose();
});

test("a session that a press goes on compressing cannot be saved", () => {
  const session = model.createSession();
  session.prefill(tokens.subarray(0, 50), { press: decoding(knorm(), { compressionInterval: 4, targetSize: 20 }) });
  assert.throws(() => session.save(), /The decoding of knorm press goes on in this session/);
  session.dispose();
});

test.run();
