/** The engine in a worker gives what the engine gives, hears aborts, and its end is an error. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, BusyError, FormatError, UnsupportedError, WorkerError } from "../../src/errors.ts";
import { loadModel as loadHere } from "../../src/runtimes/node.ts";
import { createLoadModel, type EngineWorker } from "../../src/worker/client.ts";
import type { Answer, Call } from "../../src/worker/protocol.ts";
import { page } from "../support/documents.ts";
import { drawnModel } from "../support/drawn-model.ts";

// As users have it, from the package.
const entry = "siskin/worker";
const { loadModel, ...errors } = (await import(entry)) as typeof import("../../src/worker/node.ts");

const test = suite("worker");
const text = readFileSync(`${page.documentPath}.txt`, "utf8").slice(0, 12_000);
const [question] = page.questions as [string];
const gather = async (pieces: AsyncIterable<string>) => {
  let all = "";
  for await (const piece of pieces) all += piece;
  return all;
};

test("reads, answers, forks and saves as the engine does", async () => {
  const here = await loadHere(drawnModel());
  const model = await loadModel(drawnModel());
  assert.is(model.fingerprint, here.fingerprint);
  assert.equal(model.config, structuredClone(here.config));
  const [own, session] = [here.createSession({ contextSize: 600 }), await model.createSession({ contextSize: 600 })];
  const options = { budget: 60, chunkLength: 40, questions: ["the x?"] };
  const [seen, ownSeen]: [number[], number[]] = [[], []];
  await own.read(text.slice(0, 700), { ...options, onProgress: ({ tokensRead }) => ownSeen.push(tokensRead) });
  await session.read(text.slice(0, 700), { ...options, onProgress: ({ tokensRead }) => seen.push(tokensRead) });
  assert.equal(seen, ownSeen);
  const answer = await gather(session.ask("the x?", { maxTokens: 20, ignoreEnd: true }));
  assert.is(answer, await gather(own.ask("the x?", { maxTokens: 20, ignoreEnd: true })));
  assert.equal(await session.save(), own.save());
  assert.equal(await session.positions(1, 1), own.positions(1, 1));
  assert.equal(await session.keys(0, 1), own.keys(0, 1));
  const [fork, ownFork] = [await session.fork(), own.fork()];
  assert.equal(await fork.prefill([1, 2, 3]), ownFork.prefill([1, 2, 3]));
  assert.equal(await fork.decode(5), ownFork.decode(5));
  assert.is((await fork.state()).absolutePosition, ownFork.absolutePosition);
  await fork.dispose();
  const reopened = await model.openSession(await session.save(), { contextSize: 600 });
  assert.equal(await reopened.decode(7), here.openSession(own.save(), { contextSize: 600 }).decode(7));
  assert.equal(await model.encode("the an", {}), here.tokenizer.encode("the an"));
  assert.is(await model.decode([5, 6]), here.tokenizer.decode([5, 6]));
  model.dispose();
  here.dispose();
});

test("a document in pieces, and a press by its name", async () => {
  const here = await loadHere(drawnModel());
  const model = await loadModel(drawnModel());
  const [own, session] = [here.createSession(), await model.createSession()];
  const pieces = text.slice(0, 300).match(/.{1,17}/gs)!;
  let taken = 0;
  async function* arriving() {
    for (const piece of pieces) {
      taken++;
      yield piece;
    }
  }
  await own.read(text.slice(0, 300), {
    press: (await import("../../src/index.ts")).press("knorm"),
    budget: 30,
    chunkLength: 25,
  });
  await session.read(arriving(), { press: "knorm", budget: 30, chunkLength: 25 });
  assert.is(taken, pieces.length);
  assert.equal(await session.positions(0, 0), own.positions(0, 0));
  async function* failing() {
    yield "the ";
    throw new RangeError("the source has failed");
  }
  const error = await session.read(failing(), { budget: 30, chunkLength: 25 }).catch((reason) => reason);
  assert.is(`${error.name}: ${error.message}`, "RangeError: the source has failed");
  model.dispose();
  here.dispose();
});

test("errors keep their class, message and fields", async () => {
  const damaged = { ...drawnModel(), "config.json": new TextEncoder().encode("{") };
  const [here, there] = await Promise.all(
    [loadHere(damaged), loadModel(damaged)].map((one) => one.catch((reason) => reason)),
  );
  assert.instance(here, FormatError);
  assert.instance(there, errors.FormatError);
  assert.is(there.message, here.message);
  assert.is(there.file, here.file);
  const missing = await loadModel("nowhere/m.gguf").catch((reason) => reason);
  assert.instance(missing, errors.UnsupportedError);
  assert.match(String(missing), new RegExp(`^${UnsupportedError.name}: nowhere/m.gguf`));
  const model = await loadModel(drawnModel());
  const session = await model.createSession();
  for (const [run, kind] of [
    [() => session.prefill([999]), errors.ArgumentError],
    [() => session.read(text, { budge: 5 } as object), errors.ArgumentError],
    [() => session.read(text, { press: (() => {}) as never }), errors.ArgumentError],
    [() => session.prefill(new Int32Array(1000)), errors.ContextError],
  ] as const) {
    const error = await run().catch((reason) => reason);
    assert.instance(error, kind, String(error));
  }
  const reading = session.read("the an in ".repeat(400), { budget: 30, chunkLength: 10 });
  assert.is((await session.decode(1).catch((reason) => reason)).name, BusyError.name);
  await reading;
  await session.dispose();
  assert.instance(await session.decode(1).catch((reason) => reason), errors.ArgumentError);
  model.dispose();
  assert.instance(await model.createSession().catch((reason) => reason), errors.DisposedError);
});

test("an abort is heard, with its own reason; leaving an answer ends it", async () => {
  const model = await loadModel("models/nano");
  const session = await model.createSession();
  const controller = new AbortController();
  const reason = new Error("enough");
  const reading = session.read(text, {
    questions: [question],
    budget: 128,
    chunkLength: 128,
    signal: controller.signal,
    onProgress: () => controller.abort(reason),
  });
  assert.is(await reading.catch((error) => error), reason);
  const { absolutePosition } = await session.state();
  assert.ok(absolutePosition >= 128 && absolutePosition < 1000);
  for await (const _ of session.ask(question, { ignoreEnd: true, maxTokens: 100_000 })) break;
  const already = AbortSignal.abort(reason);
  assert.is(await session.read(text, { signal: already }).catch((error) => error), reason);
  model.dispose();
});

test("a worker that ends rejects what waits, and everything later", async () => {
  const model = await loadModel("models/nano");
  const session = await model.createSession();
  const reading = session.read(text, { budget: 128 });
  // Nothing that a user does ends the worker but this; what is rejected is the same when it crashes.
  model.dispose();
  assert.instance(await reading.catch((reason) => reason), errors.DisposedError);
  assert.instance(await session.state().catch((reason) => reason), errors.DisposedError);
});

test("a worker that cannot start, crashes or cannot be sent something", async () => {
  let [hear, die] = [(_: Answer) => {}, (_: unknown) => {}];
  let terminated = 0;
  let post: EngineWorker["post"] = () => {};
  const load = createLoadModel(() => ({
    post: (...message) => post(...message),
    listen: (...listeners) => ([hear, die] = listeners),
    terminate: () => terminated++,
  }));
  const started = load("models/nano");
  die(new Error("its script cannot be loaded"));
  const error = await started.catch((reason) => reason);
  assert.instance(error, WorkerError);
  assert.match(error.message, /its script cannot be loaded/);
  assert.is(terminated, 1);

  post = (message) => hear({ kind: "value", id: (message as Call).id, value: { object: 1, facts: {} } });
  const model = await load("models/nano");
  post = () => {};
  const waiting = model.createSession();
  die("out of memory");
  assert.instance(await waiting.catch((reason) => reason), WorkerError);
  assert.instance(await model.memory().catch((reason) => reason), WorkerError);

  post = () => {
    throw new DOMException("could not be cloned", "DataCloneError");
  };
  const refused = await load("models/nano").catch((reason) => reason);
  assert.instance(refused, ArgumentError);
  assert.match(refused.message, /cannot be sent to the worker: could not be cloned/);
});

test.run();
