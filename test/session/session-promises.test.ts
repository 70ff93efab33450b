/** What sessions promise: nothing half done, one call at a time, what was shown is held, forgetting for one call only. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  adaKV,
  decoding,
  expectedAttention,
  knorm,
  loadModel,
  press,
  pressNames,
  pyramidKV,
  type Session,
  SiskinError,
  simLayer,
  snapKV,
  streamingLLM,
  think,
  tova,
} from "../../src/runtimes/node.ts";
import { drawnModel } from "../support/drawn-model.ts";
import { Dice } from "../support/random.ts";

const test = suite("sessions: promises");
const model = await loadModel(drawnModel());
test.after(() => model.dispose());
const { layers, kvHeads, vocabularySize } = model.config;
const draw = new Dice(1);
const tokens = Int32Array.from({ length: 250 }, () => draw.whole(0, vocabularySize - 1));

/** What fits the model's window. */
const small = { budget: 40, chunkLength: 20 };

function session(text = tokens.subarray(0, 0), options = {}): Session {
  const made = model.createSession(options);
  if (text.length > 0) made.prefill(text);
  return made;
}

async function failure(run: () => unknown): Promise<Error> {
  try {
    await run();
  } catch (error) {
    return error as Error;
  }
  throw new Error("nothing was thrown");
}

async function refused(run: () => unknown, name: string, message: RegExp): Promise<void> {
  const error = await failure(run);
  assert.is(error.name, name, error.message);
  assert.match(error.message, message);
}

async function gather(pieces: AsyncIterable<string>): Promise<string> {
  let text = "";
  for await (const piece of pieces) text += piece;
  return text;
}

test("while one call changes a session, others that would are refused, and looking at it is free", async () => {
  const one = session();
  const alone = session();
  await alone.read(tokens.subarray(0, 100), { budget: 40, chunkLength: 20, questions: "in?" });
  let heard = 0;
  await one.read(tokens.subarray(0, 100), {
    budget: 40,
    chunkLength: 20,
    questions: "in?",
    onProgress: () => {
      heard++;
      for (const call of [
        () => one.prefill([1]),
        () => one.decode(1),
        () => one.keep([]),
        () => one.compress(knorm(), { budget: 1 }),
        () => one.negativeLogLikelihoods([1, 2]),
      ]) {
        assert.throws(
          call,
          (error: Error) => error.name === "BusyError" && /in the middle of read/.test(error.message),
        );
      }
      one.fork().dispose();
      model.openSession(one.save()).dispose();
    },
  });
  assert.is(heard, 6);
  const [first, second] = [one.read("the", small), one.read("the", small)];
  await refused(() => second, "BusyError", /read has to wait: this session is in the middle of read/);
  await first;
  await alone.read("the", small);
  assert.equal(one.keys(1, 1), alone.keys(1, 1));

  const pieces = one.generate("the", { ignoreEnd: true });
  await pieces.next();
  await refused(() => one.decode(1), "BusyError", /decode has to wait: .* generate/);
  await pieces.return();
  one.decode(1);
});

test("what was shown is held, to the last token, and generation goes on from there", async () => {
  const options = { ignoreEnd: true };
  const start = tokens.subarray(0, 10);
  const whole = session(start);
  const text = await gather(whole.generate("x", { ...options, maxTokens: 12 }));
  const parts = session(start);
  let joined = await gather(parts.generate("x", { ...options, maxTokens: 5 }));
  assert.is(parts.absolutePosition, 10 + 1 + 5);
  const opened = model.openSession(parts.save());
  for (const one of [parts, opened]) {
    const more = await gather(one.generate("", { ...options, maxTokens: 7 }));
    if (one === parts) joined += more;
    assert.is(one.absolutePosition, 10 + 1 + 12);
    assert.equal(one.keys(1, 0), whole.keys(1, 0));
    assert.equal(one.values(1, 1), whole.values(1, 1));
  }
  if (!`${text}${joined}`.includes("\ufffd")) assert.is(joined, text);
  const read = session();
  await read.read("the", small);
  await refused(() => gather(read.generate("")), "ArgumentError", /no token to go on from/);
});

test("text that a stop string held back is not held by the session either", async () => {
  const nano = await loadModel("models/nano");
  const start = (options: object) =>
    nano.createSession().generate("Mara walked to the", { ignoreEnd: true, ...options });
  const all: string[] = [];
  for await (const piece of start({ maxTokens: 20 })) all.push(piece);
  // Two pieces, the first of which is held back for what might follow it.
  const stop = all[8]! + all[9]!;
  const before = all.slice(0, 8).join("");
  assert.is(all.join("").indexOf(stop), before.length);
  const [stopped, plain] = [nano.createSession(), nano.createSession()];
  assert.is(await gather(stopped.generate("Mara walked to the", { ignoreEnd: true, maxTokens: 20, stop })), before);
  await gather(plain.generate("Mara walked to the", { ignoreEnd: true, maxTokens: 8 }));
  assert.is(stopped.absolutePosition, plain.absolutePosition);
  assert.equal(stopped.keys(7, 1), plain.keys(7, 1));
  const more = { ignoreEnd: true, maxTokens: 4 };
  assert.is(await gather(stopped.generate("", more)), await gather(plain.generate("", more)));
  nano.dispose();
});

test("forgetting belongs to the call that asked for it", async () => {
  const one = session();
  await gather(one.generate("the", { budget: 20, every: 1, maxTokens: 40, ignoreEnd: true }));
  const held = one.cacheLength(0, 0);
  assert.ok(held <= 21);
  one.prefill(tokens.subarray(0, 50));
  one.decode(5);
  assert.is(one.cacheLength(0, 0), held + 51);
  one.save();
});

test("text without end after a prompt of any length, again and again, in budget + every entries", async () => {
  const one = session(undefined, { contextSize: 60 });
  for (const length of [1, 200, 40, 100]) {
    const prompt = "x".repeat(length);
    for await (const _ of one.generate(prompt, { budget: 30, every: 15, maxTokens: 50, ignoreEnd: true })) {
      assert.ok(one.cacheLength(1, 1) <= 45);
    }
  }
  const { absolutePosition } = one;
  await refused(() => gather(one.generate("x", { budget: 4, every: 1 })), "ArgumentError", /keeps 5 entries at least/);
  await refused(() => gather(one.generate("x", { press: snapKV() as never })), "ArgumentError", /looks at queries/);
  await refused(() => gather(one.generate("x", { press: think() as never })), "ArgumentError", /looks at queries/);
  assert.is(one.absolutePosition, absolutePosition);
});

test("any method that reads chunks reads a document of any length", async () => {
  const settings: Record<string, object> = {
    finchpress: { windowSize: 8 },
    dms: {},
    qfilter: { qFilters: new Float32Array(layers * kvHeads * 32).fill(0.5) },
    duoattention: { headScores: Array.from({ length: layers }, () => Array(kvHeads).fill(1)) },
    perlayer: { press: "knorm", compressionRatios: Array(layers).fill(0.3) },
    composed: { presses: [{ press: snapKV(), ratio: 0.3 }] },
  };
  const wrappers = [
    "adakv",
    "block",
    "chunk",
    "chunkkv",
    "criticaladakv",
    "criticalkv",
    "entropygatedchunkkv",
    "merging",
    "pyramid",
  ];
  const decodes = ["cam", "compressionratiodecoding", "decoding", "dms", "prefilldecoding"];
  // These look at a whole pass, and say so.
  const whole = ["kvcompose", "lukv"];
  for (const name of pressNames) {
    if (decodes.includes(name) || whole.includes(name)) continue;
    const inner = wrappers.includes(name) ? { press: "knorm" } : {};
    const method = press(name as string, { ...inner, ...settings[name] });
    const own = method.ownBudget;
    for (const length of [0, 1, 2, 3, 5, 13, 30, 31, 32, 61]) {
      const one = session();
      await one
        .read(tokens.subarray(0, length), {
          press: method as never,
          ...(own ? {} : { budget: 10 }),
          chunkLength: 30,
          questions: "in?",
        })
        .catch((error) => {
          throw new Error(`${name}, ${length} tokens: ${error}`);
        });
      assert.is(one.absolutePosition, length + model.frame.head.length);
      one.dispose();
    }
  }
});

test("a short end of a document is read with a window as long as any", async () => {
  const windowSize = 8;
  for (const method of [snapKV({ windowSize }), pyramidKV({ windowSize }), adaKV(snapKV({ windowSize }))]) {
    const [read, stepwise] = [session(), session()];
    const document = tokens.subarray(0, 61 - model.frame.head.length);
    const all = Int32Array.from([...model.frame.head, ...document]);
    const ends: number[] = [];
    await read.read(document, {
      press: method,
      budget: 20,
      chunkLength: 30,
      onProgress: ({ tokensRead }) => ends.push(tokensRead),
    });
    // Not 30, 30 and 1: the last two chunks share what there is.
    assert.equal(ends, [30, 46, 61]);
    for (const [index, end] of ends.entries()) {
      stepwise.prefill(all.subarray(ends[index - 1] ?? 0, end), { press: method, budget: 20 });
    }
    for (const head of [0, 1]) assert.equal(read.positions(1, head), stepwise.positions(1, head));
  }
});

test("a pass behind what is held already counts its own rows, not the text's first ones, for statistics", async () => {
  // Of a whole text the first four rows are left out; of a later pass none are.
  const one = session(tokens.subarray(0, 20));
  one.prefill(tokens.subarray(20, 24), { press: expectedAttention(), ratio: 0.3 });
  assert.is(one.cacheLength(0, 0), Math.trunc(24 * 0.7));
  const short = session();
  await refused(
    () => short.prefill(tokens.subarray(0, 4), { press: expectedAttention(), ratio: 0.3 }),
    "ArgumentError",
    /not longer than nSink 4/,
  );
  assert.is(short.absolutePosition, 0);
});

test("an empty session is not compressed, and one with an empty head is refused", () => {
  for (const method of [knorm(), streamingLLM(), press("leveragescore"), press("keydiff"), press("lagkv")]) {
    const empty = session();
    empty.compress(method, { budget: 5 });
    assert.is(empty.byteLength, 0);
    const one = session(tokens.subarray(0, 30));
    const list = Array.from({ length: 30 }, (_, index) => index);
    one.keep(Array.from({ length: layers }, (_, layer) => (layer === 1 ? [[], list] : [list, list])));
    assert.throws(() => one.compress(method, { budget: 5 }), /layer 1, where head 0 is empty and others are not/);
    assert.is(one.cacheLength(0, 0), 30);
  }
});

test("a press that says itself how much it keeps takes no budget, and one budget is enough", async () => {
  const own = [
    think(),
    simLayer(),
    decoding(knorm()),
    press("composed", { presses: [{ press: knorm(), ratio: 0.5 }] }),
  ];
  for (const method of own) {
    const one = session();
    for (const budget of [{ ratio: 0.5 }, { budget: 5 }, { bytes: 1e6 }, { protect: { first: 1 } }]) {
      const run = () => one.prefill(tokens.subarray(0, 40), { press: method, ...budget } as never);
      await refused(
        run,
        "ArgumentError",
        new RegExp(`says itself how much it keeps: leave out ${Object.keys(budget)[0]}`),
      );
    }
    assert.is(one.absolutePosition, 0);
  }
  const one = session();
  await refused(() => one.read("x", { press: think(), budget: 3 }), "ArgumentError", /leave out budget/);
  const both = { press: knorm(), budget: 5, ratio: 0.5 };
  await refused(() => one.prefill([1, 2], both as never), "ArgumentError", /Give one of budget and ratio/);
  await refused(
    () => one.prefill([1, 2], { press: knorm(), budgets: 5 } as never),
    "ArgumentError",
    /no option "budgets"; did you mean budget\?/,
  );
  await refused(
    () => one.read("x", { ratios: 0.5 } as never),
    "ArgumentError",
    /read has no option "ratios"; did you mean ratio\?/,
  );
  await refused(() => gather(one.ask("x", { max_tokens: 3 } as never)), "ArgumentError", /did you mean maxTokens\?/);
  assert.throws(() => model.createSession({ contextsize: 5 } as never), /did you mean contextSize\?/);
});

test("every way to read lets a press that goes on compressing take its step", async () => {
  const method = decoding(knorm(), { compressionInterval: 1, targetSize: 20 });
  const one = session();
  one.prefill(tokens.subarray(0, 50), { press: method });
  assert.is(one.cacheLength(0, 0), 50);
  one.negativeLogLikelihoods(tokens.subarray(50, 100));
  assert.is(one.cacheLength(0, 0), 20);
  await one.read(tokens.subarray(0, 60), { budget: 40, chunkLength: 25, questions: "in?" });
  assert.is(one.cacheLength(0, 0), 20);
  await gather(one.generate("the", { maxTokens: 5, ignoreEnd: true }));
  assert.is(one.cacheLength(0, 0), 20);
});

test("tokens are whole numbers below the vocabulary's size, in any kind of list", async () => {
  const expected = session().prefill([1, 2, 3]);
  const lists = [Uint8Array, Int16Array, Uint32Array, Float64Array].map((kind) => kind.from([1, 2, 3]));
  for (const list of [...lists, BigInt64Array.from([1n, 2n, 3n]), { length: 3, 0: 1, 1: 2, 2: 3 }]) {
    assert.equal(session().prefill(list), expected);
  }
  const one = session();
  await one.read(BigUint64Array.from([1n, 2n]), small);
  for (const wrong of [undefined, null, Number.NaN, 1.5, 2 ** 32 + 7, -1, "0", [], 2n ** 70n, vocabularySize]) {
    assert.throws(() => one.decode(wrong as never), /Token .* at index 0 is not one of the vocabulary's/);
  }
  for (const wrong of [
    null,
    undefined,
    "abc",
    5,
    { length: Number.NaN },
    { length: -1 },
    new DataView(new ArrayBuffer(4)),
  ]) {
    assert.throws(() => one.prefill(wrong as never), /Tokens should be a list of whole numbers/);
  }
  assert.is(one.absolutePosition, 2 + model.frame.head.length);
});

test("what stalls, or comes without end, is stopped at once", async () => {
  const start = model.createSession();
  const reasons = new Error("enough");
  const stalled = async function* () {
    yield "the ";
    await new Promise(() => {});
  };
  const endless = async function* () {
    for (;;) yield "";
  };
  for (const source of [stalled, endless]) {
    const controller = new AbortController();
    setTimeout(() => controller.abort(reasons), 20);
    const error = await failure(() => start.read(source(), { ...small, signal: controller.signal }));
    assert.is(error, reasons);
    assert.is(start.absolutePosition, 0);
  }
  start.decode(1);
});

test("a capsule does not lift the window by itself", () => {
  const lifted = session(undefined, { contextSize: 1000 });
  lifted.prefill(tokens);
  const bytes = lifted.save();
  assert.throws(() => model.openSession(bytes), /has a window of 1000 positions, and the model one of 256/);
  assert.throws(() => model.openSession(bytes, { contextSize: 200 }), /uses 250 positions, and the window has 200/);
  const opened = model.openSession(bytes, { contextSize: 300 });
  assert.throws(() => opened.prefill(tokens), /exceed the window of 300/);
  assert.throws(() => model.openSession(undefined as never), /A capsule is bytes, and this is undefined/);
  const capsule = model.openSession(session(tokens.subarray(0, 9)).save().buffer);
  assert.is(capsule.absolutePosition, 9);
});

test("errors are Siskin's own and name what was wrong", async () => {
  const one = session(tokens.subarray(0, 20));
  const calls = [
    () => one.prefill([1], { press: "snapkv" } as never),
    () => one.prefill([1], { press: { name: "x", score: () => [] } } as never),
    () => one.prefill([1], null as never),
    () => one.prefill([1], { press: press("siskin") as never, budget: 1 }),
    () => one.compress(tova(), { budget: 1 }),
    () => one.read("x", { press: decoding(knorm()) as never }),
    () => one.read("x", { press: "finch" } as never),
    () => one.read("x", { ...small, questions: null } as never),
    () => one.read("x", { ...small, onProgress: 5 } as never),
    () => one.read("x", { ...small, signal: {} } as never),
    () => one.read("x", null as never),
    () => one.read(null as never),
    () => gather(one.ask(undefined as never)),
    () => gather(one.ask("q", { stop: 5 } as never)),
    () => gather(one.generate(5 as never)),
    () => gather(one.generate("x", { maxTokens: "3" } as never)),
    () => gather(one.generate("x", { topK: 1.5 })),
    () => gather(one.generate("x", { seed: 0.5 })),
    () => one.keep(null as never),
    () => one.keep([[[0.5], [0]]] as never),
    () => model.createSession(null as never),
    () => model.createSession({ contextSize: 2.5 }),
    () => model.openSession(new Uint8Array(3), null as never),
  ];
  for (const call of calls) {
    const error = await failure(call);
    assert.instance(error, SiskinError, String(call));
    assert.is(one.absolutePosition, 20);
  }
});

test.run();
