/** Reading in the large: progress, waiting streams, aborting and going on, a second document, and reading without a question. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { compactor } from "../../src/press/methods/compactor.ts";
import { expectedAttention } from "../../src/press/methods/expected-attention.ts";
import { keyDiff } from "../../src/press/methods/keydiff.ts";
import { kvzip } from "../../src/press/methods/kvzip.ts";
import { nonCausalAttention } from "../../src/press/methods/non-causal-attention.ts";
import { observedAttention } from "../../src/press/methods/observed-attention.ts";
import {
  ArgumentError,
  ContextError,
  finch,
  knorm,
  loadModel,
  type Model,
  type ReadProgress,
  type Session,
} from "../../src/runtimes/node.ts";
import { GENERIC_QUESTIONS } from "../../src/session/generic-questions.ts";
import { assertSame } from "../support/assertions.ts";
import { answers, checkAnswers, documentPath, questions } from "../support/documents.ts";

const test = suite("reading in the large");
const text = readFileSync(`${documentPath}.txt`, "utf8");
let model: Model;
let tokens: Int32Array;
/** Has read the whole text for all questions. */
let whole: Session;
/** What it told while it read. */
const heard: ReadProgress[] = [];

test.before(async () => {
  model = await loadModel("models/nano");
  tokens = model.tokenizer.encode(text);
  whole = model.createSession();
  await whole.read(tokens, { questions, onProgress: (progress) => heard.push(progress) });
});
test.after(() => model.dispose());

async function answer(session: Session, question: string): Promise<string> {
  let all = "";
  for await (const piece of session.ask(question)) all += piece;
  return all;
}

function assertSameContent(actual: Session, expected: Session): void {
  assert.is(actual.absolutePosition, expected.absolutePosition);
  for (let layer = 0; layer < model.config.layers; layer++) {
    for (let head = 0; head < model.config.kvHeads; head++) {
      assert.equal(actual.positions(layer, head), expected.positions(layer, head));
      assertSame(actual.keys(layer, head), expected.keys(layer, head));
      assertSame(actual.values(layer, head), expected.values(layer, head));
    }
  }
}

test("an aborted session stands where it says, and the rest read later gives the same bits as no abort", async () => {
  const session = model.createSession();
  const controller = new AbortController();
  let last: ReadProgress | undefined;
  const reason = new Error("enough");
  const reading = session.read(tokens, {
    questions,
    signal: controller.signal,
    onProgress: (progress) => {
      last = progress;
      if (progress.tokensRead > 1500) controller.abort(reason);
    },
  });
  await reading.then(
    () => assert.unreachable("the reading went on"),
    (error) => assert.is(error, reason),
  );
  assert.is(last!.tokensRead, 3 * 512);
  assert.is(session.absolutePosition, 3 * 512);
  assert.is(last!.documentTokens, 3 * 512 - model.frame.head.length);
  assert.is(session.cacheLength(0, 0), 512);
  await answer(session, questions[0]!);
  await session.read(tokens.subarray(last!.documentTokens), { questions });
  assertSameContent(session, whole);
  assert.equal(
    heard.map(({ tokensRead }) => tokensRead),
    [512, 1024, 1536, 2048, 2560, 3072, tokens.length + model.frame.head.length],
  );
  assert.ok(heard.every((progress) => progress.tokensTotal === tokens.length + model.frame.head.length));
  session.dispose();
});

test("a signal that is aborted from the start leaves an empty session", async () => {
  const session = model.createSession();
  let thrown: Error | undefined;
  await session.read(tokens, { questions, signal: AbortSignal.abort() }).catch((error) => (thrown = error));
  assert.is(thrown?.name, "AbortError");
  assert.is(session.absolutePosition, 0);
  assert.is(session.byteLength, 0);
  session.dispose();
});

test("a stream that waits is a pause, in which the session answers from what it has", async () => {
  const session = model.createSession();
  let open = () => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  let waits = () => {};
  const waiting = new Promise<void>((resolve) => (waits = resolve));
  const half = text.length >> 1;
  async function* pieces() {
    for (let at = 0; at < text.length; at += 777) {
      if (at <= half && at + 777 > half) {
        waits();
        await gate;
      }
      yield text.slice(at, at + 777);
    }
  }
  const totals = new Set<number | undefined>();
  const reading = session.read(pieces(), { questions, onProgress: ({ tokensTotal }) => totals.add(tokensTotal) });
  await waiting;
  assert.ok(session.absolutePosition > 0 && session.absolutePosition < tokens.length * 0.6);
  assert.is(session.absolutePosition % 512, 0);
  assert.ok((await answer(session, questions[0]!)).length > 0);
  open();
  await reading;
  assert.equal([...totals], [undefined]);
  assertSameContent(session, whole);
  session.dispose();
});

test("facts of two documents read one after the other are answered, with new questions behind both", async () => {
  const middle = text.indexOf(". ", text.length / 2) + 1;
  const [first, second] = [text.slice(0, middle), text.slice(middle)];
  const inFirst = questions.filter((_, index) => first.includes(answers[index]!));
  assert.ok(inFirst.length >= 3 && inFirst.length <= 5);
  const session = model.createSession();
  await session.read(first, { questions: inFirst });
  await session.read(second, { questions });
  assert.is(
    session.absolutePosition,
    model.frame.head.length + [first, second].reduce((sum, part) => sum + model.tokenizer.encode(part).length, 0),
    "the prompt's head is not repeated",
  );
  assert.is(session.cacheLength(0, 0), 512);
  const given = [];
  for (const question of questions) given.push(await answer(session, question));
  checkAnswers(given);
  session.dispose();
});

test("a budget that grows keeps what an earlier document left", async () => {
  const session = model.createSession();
  await session.read(tokens.subarray(0, 1500), { questions, press: finch({ granularity: "layer" }), budget: 300 });
  assert.is(session.cacheLength(0, 0), 300);
  const lengths: number[] = [];
  const onProgress = ({ entries }: ReadProgress) => lengths.push(entries);
  await session.read(tokens.subarray(1500, 3036), {
    questions,
    press: finch({ granularity: "layer" }),
    budget: 600,
    onProgress,
  });
  assert.equal(lengths, [400, 500, 600]);
  session.dispose();
});

for (const press of [keyDiff(), expectedAttention(), knorm()]) {
  test(`${press.name} reads without a question, chunk by chunk, as prefill with the press does`, async () => {
    const [read, stepwise] = [model.createSession(), model.createSession()];
    await read.read(tokens.subarray(0, 1300), { press, budget: 256, chunkLength: 400 });
    const all = Int32Array.from([...model.frame.head, ...tokens.subarray(0, 1300)]);
    for (let at = 0; at < all.length; at += 400) stepwise.prefill(all.subarray(at, at + 400), { press, budget: 256 });
    assertSameContent(read, stepwise);
    for (const session of [read, stepwise]) session.dispose();
  });
}

test("read without questions, a document is read for the generic ones, and most of its facts stay", async () => {
  const [short, named] = [model.createSession(), model.createSession()];
  await short.read(tokens.subarray(0, 600), { budget: 200 });
  await named.read(tokens.subarray(0, 600), { budget: 200, questions: GENERIC_QUESTIONS });
  assertSameContent(short, named);
  const session = model.createSession();
  await session.read(text, { budget: 1024 });
  let right = 0;
  for (const [index, question] of questions.entries()) {
    if ((await answer(session, question)).includes(answers[index]!)) right++;
  }
  assert.ok(right >= 5, `${right} of ${questions.length}`);
  for (const each of [short, named, session]) each.dispose();
});

test("where heads differ in length, questions cannot go on", async () => {
  const session = model.createSession();
  session.prefill(tokens.subarray(0, 100));
  session.keep(
    Array.from({ length: 8 }, (_, layer) => [
      [0, 1],
      [0, 1, 2 + layer],
    ]),
  );
  let thrown: Error | undefined;
  await session.read("More.", { questions }).catch((error) => (thrown = error));
  assert.instance(thrown, ContextError);
  session.dispose();
});

test("KVzip keeps an entry's score from chunk to chunk", async () => {
  const { head } = model.frame;
  const [layers, kvHeads] = [model.config.layers, model.config.kvHeads];
  const kept = (session: Session) =>
    Array.from({ length: layers * kvHeads }, (_, index) =>
      session.positions(Math.floor(index / kvHeads), index % kvHeads).filter((position) => position < 256),
    );
  const read = model.createSession();
  await read.read(tokens.subarray(0, 400), { press: kvzip(), budget: 150, chunkLength: 256 });
  assert.is(
    kept(read).length * 150,
    Array.from({ length: layers * kvHeads }, (_, index) =>
      read.cacheLength(Math.floor(index / kvHeads), index % kvHeads),
    ).reduce((sum, length) => sum + length, 0),
  );
  // What is left of the first chunk is what the press keeps of it alone when it may keep as much.
  const survivors = kept(read);
  const count = survivors.reduce((sum, list) => sum + list.length, 0);
  const all = 256 * layers * kvHeads;
  const alone = model.createSession();
  const first = Int32Array.from([...head, ...tokens.subarray(0, 256 - head.length)]);
  alone.prefill(first, { press: kvzip(), ratio: (all - count + 0.5) / all });
  assert.ok(count > 100 && count < 150 * layers * kvHeads - 100, `${count}`);
  assert.equal(survivors, kept(alone));
  await read.read(tokens.subarray(400), { press: kvzip() }).then(
    () => assert.unreachable(),
    (error) => assert.ok(error instanceof ArgumentError && /kvzip press reads from the start/.test(error.message)),
  );
  read.dispose();
  alone.dispose();
});

test("methods that score a whole pass keep an entry's score from chunk to chunk", async () => {
  const first = Int32Array.from([...model.frame.head, ...tokens.subarray(0, 256 - model.frame.head.length)]);
  for (const press of [observedAttention(), nonCausalAttention(), compactor({ blending: 0.5 })]) {
    const read = model.createSession();
    await read.read(tokens.subarray(0, 400), { press, budget: 150, chunkLength: 256 });
    /** What the press keeps of the first chunk alone, by budget. */
    const aloneBy = new Map<number, Session>();
    for (const layer of [0, model.config.layers - 1]) {
      for (let head = 0; head < model.config.kvHeads; head++) {
        const kept = read.positions(layer, head);
        assert.is(kept.length, 150);
        const survivors = kept.filter((position) => position < 256);
        assert.ok(survivors.length > 0 && survivors.length < 150, `${press.name}: ${survivors.length}`);
        // What is left of the first chunk are the highest scores that it had alone.
        let alone = aloneBy.get(survivors.length);
        if (!alone) {
          alone = model.createSession();
          alone.prefill(first, { press, budget: survivors.length });
          aloneBy.set(survivors.length, alone);
        }
        assert.equal(survivors, alone.positions(layer, head), `${press.name}, layer ${layer}, head ${head}`);
      }
    }
    for (const session of [read, ...aloneBy.values()]) session.dispose();
  }
});

test.run();
