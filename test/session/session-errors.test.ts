/** What the public face refuses, with which error, and that nothing is left over: tokens, windows, options, broken files, aborts. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readSafetensors } from "../../src/formats/safetensors-arrays.ts";
import { type TensorData, writeSafetensors } from "../../src/formats/safetensors-write.ts";
import {
  ArgumentError,
  ContextError,
  DisposedError,
  FormatError,
  knorm,
  loadModel,
  NumericError,
  siskin,
  UnsupportedError,
} from "../../src/runtimes/node.ts";

const test = suite("session: errors");
// Random weights, a window of 2,048 tokens.
const model = await loadModel("test/fixtures/gguf/tiny-old.gguf");
test.after(() => model.dispose());

type Kind = new (...parts: never[]) => Error;

function refused(run: () => unknown, kind: Kind, message: RegExp): void {
  let thrown: unknown;
  try {
    run();
  } catch (error) {
    thrown = error;
  }
  assert.instance(thrown, kind);
  assert.match((thrown as Error).message, message);
}

async function rejected(run: Promise<unknown>, kind: Kind, message: RegExp): Promise<void> {
  const thrown: unknown = await run.then(
    () => undefined,
    (error) => error,
  );
  assert.instance(thrown, kind);
  assert.match((thrown as Error).message, message);
}

test("tokens outside the vocabulary leave the session as it was", () => {
  const session = model.createSession();
  session.prefill([5, 6, 7]);
  const { byteLength } = session;
  for (const token of [-1, model.config.vocabularySize]) {
    refused(() => session.decode(token), ArgumentError, new RegExp(`${token}`));
    refused(() => session.prefill([5, token]), ArgumentError, new RegExp(`${token}`));
  }
  refused(() => session.prefill([]), ArgumentError, /no tokens/);
  assert.is(session.absolutePosition, 3);
  assert.is(session.byteLength, byteLength);
  session.dispose();
});

test("a full window", () => {
  const session = model.createSession({ contextSize: 10 });
  refused(() => session.prefill(new Int32Array(11)), ContextError, /11 tokens behind 0 exceed the window of 10/);
  session.prefill(new Int32Array(10));
  refused(() => session.decode(1), ContextError, /1 tokens behind 10 exceed the window of 10/);
  assert.is(session.absolutePosition, 10);
  session.compress(knorm(), { budget: 4 });
  session.prefill(new Int32Array(6));
  assert.is(session.absolutePosition, 16);
  session.dispose();
});

test("options that cannot be", async () => {
  refused(() => model.createSession({ scheme: "sliding" as never }), ArgumentError, /scheme .*"sliding"/);
  refused(() => model.createSession({ cache: "q2" as never }), ArgumentError, /cache .*"q2"/);
  refused(() => model.createSession({ contextSize: 0 }), ArgumentError, /contextSize cannot be 0/);
  const session = model.createSession();
  const questions = "Where?";
  for (const budget of [0, -3, 1.5, Number.NaN]) {
    await rejected(session.read("a", { questions, budget }), ArgumentError, /budget/);
    await rejected(session.read("a", { questions, chunkLength: budget }), ArgumentError, /chunkLength/);
  }
  await rejected(session.read("a", { questions: [] }), ArgumentError, /at least one question/);
  await rejected(session.read("a", { questions, budget: 2000 }), ContextError, /budget 2000/);
  await rejected(session.read("a", { questions, chunkLength: 2000 }), ContextError, /chunk of 2000/);
  await rejected(session.read(5 as never, { questions }), ArgumentError, /A document should be/);
  session.prefill([1, 2, 3, 4]);
  refused(() => session.compress(siskin(), { budget: 2 }), ArgumentError, /siskin.*session\.read/);
  refused(() => session.keys(2, 0), ArgumentError, /Layer 2, head 0: there are 2 layers of 2/);
  assert.is(session.absolutePosition, 4);
  session.dispose();
});

test("use after dispose", async () => {
  const session = model.createSession();
  session.prefill([1, 2]);
  session.dispose();
  session.dispose();
  refused(() => session.decode(1), DisposedError, /session/);
  refused(() => session.fork(), DisposedError, /session/);
  refused(() => session.keys(0, 0), DisposedError, /session/);
  await rejected(session.read("a"), DisposedError, /session/);
  const other = await loadModel("test/fixtures/gguf/tiny-old.gguf");
  const orphan = other.createSession();
  other.dispose();
  other.dispose();
  refused(() => orphan.decode(1), DisposedError, /session/);
  refused(() => other.createSession(), DisposedError, /model/);
  refused(() => other.memory, DisposedError, /model/);
});

/** A model of nano's shapes with some tensors changed. */
function changedNano(change: (tensors: Record<string, TensorData>) => void) {
  const file = (name: string) => new Uint8Array(readFileSync(`models/nano/${name}`));
  const arrays = readSafetensors(file("model.safetensors"));
  // All weights are 1/128: what is tested does not depend on them.
  const tensors: Record<string, TensorData> = {};
  for (const name of arrays.names) {
    const shape = arrays.shape(name);
    tensors[name] = { dtype: "BF16", shape, data: new Uint16Array(shape.reduce((a, b) => a * b, 1)).fill(0x3c00) };
  }
  change(tensors);
  return {
    "config.json": file("config.json"),
    "tokenizer.json": file("tokenizer.json"),
    "model.safetensors": writeSafetensors(tensors),
  };
}

const down = "model.layers.3.mlp.down_proj.weight";

test("a missing tensor and a wrong shape are named", async () => {
  const missing = changedNano((tensors) => delete tensors[down]);
  await rejected(loadModel(missing), FormatError, /model\.layers\.3\.mlp\.down_proj\.weight is missing/);
  const turned = changedNano((tensors) => {
    const { shape } = tensors[down]!;
    tensors[down] = { ...tensors[down]!, shape: [...shape].reverse() };
  });
  await rejected(
    loadModel(turned),
    FormatError,
    /down_proj\.weight should have the shape \[384,1024\] and has \[1024,384\]/,
  );
  await rejected(loadModel("models/nowhere.gguf"), UnsupportedError, /models\/nowhere\.gguf/);
});

test("weights that are not numbers", async () => {
  const broken = changedNano((tensors) => {
    (tensors[down]!.data as Uint16Array)[1000] = 0x7fc0;
  });
  const run = async () => {
    const loaded = await loadModel(broken);
    try {
      loaded.createSession().prefill([1, 2, 3]);
    } finally {
      loaded.dispose();
    }
  };
  await rejected(run(), NumericError, /NaN|infin|number/i);
});

test("an aborted load gives the signal's reason", async () => {
  const reason = new Error("enough");
  const thrown = await loadModel("models/nano", { signal: AbortSignal.abort(reason) }).then(
    () => undefined,
    (error) => error,
  );
  assert.is(thrown, reason);
});

test.run();
