/** Methods defined outside the package: what they see, what is checked of them, and questions as a need. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { definePress, eachHead, type PassPress, type Press, range, whole } from "../../src/press.ts";
import {
  ArgumentError,
  finch,
  knorm,
  loadModel,
  type ReadOptions,
  type Session,
  siskin,
} from "../../src/runtimes/node.ts";
import { assertNear } from "../support/assertions.ts";

const test = suite("definePress");
// Random weights, two layers of two KV heads.
const model = await loadModel("test/fixtures/gguf/tiny-old.gguf");
test.after(() => model.dispose());
const { layers, kvHeads } = model.config;
const tokens = Int32Array.from({ length: 150 }, (_, index) => 40 + ((index * 7919) % 200));

const positions = (session: Session) =>
  Array.from({ length: layers * kvHeads }, (_, i) => [...session.positions(Math.floor(i / kvHeads), i % kvHeads)]);

async function read(press: PassPress, options: ReadOptions = { budget: 40 }): Promise<number[][]> {
  const session = model.createSession({ scheme: "original" });
  try {
    await session.read(tokens, { press, questions: ["Where?", "Who is it?"], chunkLength: 32, ...options });
    return positions(session);
  } finally {
    session.dispose();
  }
}

const questions = { pooling: "mean", granularity: "head" } as const;

test("a third method that looks at questions is one definition, or a plain object", async () => {
  const third = definePress({
    name: "third",
    paper: "FINCH's scores with a budget for each head",
    needs: { questions },
    score: (layer) => eachHead(layer, (head) => layer.questionScores(head)),
  });
  const plain: Press = {
    kind: "score",
    name: "plain",
    needs: { questions },
    score: (layer) => eachHead(layer, (head) => layer.questionScores(head)),
  };
  const expected = await read(finch({ granularity: "head", schedule: "constant" }));
  assert.ok(new Set(expected.map(String)).size > 1, "heads keep different entries");
  assert.equal(await read(third()), expected);
  assert.equal(await read(plain), expected);
  const session = model.createSession();
  for (const press of [third(), siskin(), finch()]) {
    assert.throws(
      () => session.prefill(tokens, { press, budget: 9 }),
      /cannot be the press of prefill: .*session.read/,
    );
    assert.throws(() => session.compress(press, { budget: 9 }), /cannot be the press of compress/);
  }
  session.prefill(tokens.subarray(0, 20), {
    press: { ...plain, needs: undefined, score: () => eachHead({ kvHeads } as never, () => new Float32Array(20)) },
    budget: 5,
  });
  assert.throws(
    () => session.prefill([1], { press: { ...plain, needs: undefined }, budget: 5 }),
    (error: Error) => error instanceof ArgumentError && /No questions were run/.test(error.message),
  );
  session.dispose();
});

test("one budget wherever a press compresses: of entries, a part, bytes, each head's, with what is protected", async () => {
  const press = knorm();
  const lists = Array.from({ length: layers }, (_, layer) => [20 + layer, 30]);
  const total = tokens.length + model.frame.head.length;
  for (const method of [press, siskin(), finch({ schedule: "constant" })]) {
    const each = await read(method, { budget: lists }).catch((error: Error) => error.message);
    if (method === press)
      assert.equal(
        (each as number[][]).map(({ length }) => length),
        lists.flat(),
      );
    else assert.match(each as string, /press needs one budget for all heads/);
    const part = await read(method, { ratio: 0.75 });
    assert.ok(part.every((list) => list.length === Math.trunc(total * 0.25)));
    const kept = await read(method, { budget: 20, protect: { first: 3, last: 4 } });
    for (const list of kept) {
      assert.equal(list.slice(0, 3), [0, 1, 2], method.name);
      assert.equal(list.slice(-4), [total - 4, total - 3, total - 2, total - 1], method.name);
    }
  }
  const session = model.createSession();
  await session.read(tokens, { press, bytes: 70_000, chunkLength: 32, questions: "in?" });
  assert.ok(session.byteLength <= 70_000 && session.cacheLength(0, 0) > 30, `${session.byteLength}`);
  for (const [budget, message] of [
    [{ budget: 0 }, /budget should be a positive whole number of entries and is 0/],
    [{ budget: 2.5 }, /budget should be a positive whole number of entries and is 2.5/],
    [{ budget: [[1]] }, /budget should be a number, or \d+ lists of \d+ numbers/],
    [{ bytes: 10 }, /bytes should be at least \d+/],
    [{ budget: 9, bytes: 1e6 }, /Give one of budget and bytes, not both/],
    [{ budget: 9, protect: { first: -1 } }, /protect.first should be a whole number/],
    [{ budget: 9, protect: { fist: 1 } }, /protect has no option "fist"; did you mean first\?/],
  ] as const) {
    const given = budget as object;
    const failures = [
      () => Promise.resolve().then(() => session.compress(press, given)),
      () => Promise.resolve().then(() => session.prefill([1], { press, ...given })),
      () => session.read("x", { press, ...given }),
      () => session.generate("x", given).next(),
    ];
    for (const run of failures) {
      const error = await run().catch((thrown) => thrown);
      assert.instance(error, ArgumentError);
      assert.match(error.message, message);
    }
  }
  const stream = (async function* () {
    yield "some text";
  })();
  await session.read(stream, { press, ratio: 0.5 }).catch((error) => assert.match(error.message, /known length/));
  await session
    .generate("x", { ratio: 0.5 })
    .next()
    .then(
      () => assert.unreachable(),
      (error) => assert.match(error.message, /takes budget or bytes/),
    );
  session.dispose();
});

test("a growing budget needs the text's length, and ends at the whole", async () => {
  const session = model.createSession();
  const stream = (async function* () {
    yield "some text";
  })();
  const error = await session.read(stream, { press: finch(), questions: "Who?" }).catch((thrown) => thrown);
  assert.match(error.message, /finch press, as it is set, needs a document of known length/);
  assert.is(session.absolutePosition, 0);
  session.dispose();
  const lengths: number[] = [];
  const growing = model.createSession();
  await growing.read(tokens, {
    press: finch(),
    questions: "Who?",
    budget: 60,
    chunkLength: 32,
    onProgress: ({ tokensRead, tokensTotal, entries }) => {
      lengths.push(entries);
      assert.is(entries, Math.max(1, Math.trunc((60 * tokensRead) / tokensTotal!)));
    },
  });
  assert.is(lengths.at(-1), 60);
  growing.dispose();
});

test("what is kept beyond the budget is refused before anything is dropped", () => {
  const greedy = (extra: number, approximate?: true) =>
    definePress({
      name: "greedy",
      paper: "Keeps more than it should",
      ...(approximate && { approximate }),
      select: (layer, _, target) => ({
        kept: eachHead(layer, (head) => range(0, target.share(layer, head) + (head === 0 ? extra : 0))),
      }),
    })();
  const session = model.createSession();
  session.prefill(tokens.subarray(0, 50));
  assert.throws(
    () => session.compress(greedy(1), { budget: 9 }),
    new RegExp(`greedy press keeps ${layers * kvHeads * 9 + layers} entries; the budget is ${layers * kvHeads * 9}`),
  );
  assert.is(session.cacheLength(0, 0), 50);
  session.fork().compress(greedy(1, true), { budget: 9 });
  session.compress(greedy(0), { budget: 9 });
  assert.is(session.cacheLength(0, 0), 9);
  session.dispose();
});

test("attention is softmax of scaled products of turned queries and keys", () => {
  let seen = 0;
  const look = definePress({
    name: "look",
    paper: "Compares what a layer offers with plain arithmetic",
    options: { rows: whole(3) },
    needs: ({ rows }) => ({ queryRows: rows }),
    score: (layer, { rows }) => {
      const { headSize, group } = layer;
      assert.is(layer.attentionScale, 1 / Math.sqrt(headSize));
      for (let head = 0; head < kvHeads; head++) {
        const length = layer.length(head);
        const keys = layer.keys(head);
        const back = layer.unrotate(keys, layer.places(head));
        assertNear(layer.rotate(back, layer.places(head)), keys, () => 1e-5, "there and back");
        const weights = layer.attention(head, rows);
        const middle = layer.attention(head, [1, 2]);
        for (let member = 0; member < group; member++) {
          const queries = layer.rotatedQueries(head * group + member);
          for (let row = 0; row < rows; row++) {
            const visible = length - rows + row + 1;
            const products = Array.from({ length: visible }, (_, entry) => {
              let sum = 0;
              for (let i = 0; i < headSize; i++) sum += queries[row * headSize + i]! * keys[entry * headSize + i]!;
              return Math.exp(sum * layer.attentionScale);
            });
            const total = products.reduce((a, b) => a + b, 0);
            const expected = Array.from({ length }, (_, entry) => (products[entry] ?? 0) / total);
            assertNear(weights[member]!.subarray(row * length, (row + 1) * length), expected, () => 1e-5, "weights");
            if (row === 1) assertNear(middle[member]!, expected, () => 1e-5, "a range of rows");
            seen++;
          }
        }
      }
      return eachHead(layer, (head) => new Float32Array(layer.length(head)));
    },
  });
  const session = model.createSession();
  session.prefill(tokens.subarray(0, 10));
  session.prefill(tokens.subarray(10, 30), { press: look(), budget: 5 });
  assert.is(seen, layers * model.config.queryHeads * 3);
  session.dispose();
});

test.run();
