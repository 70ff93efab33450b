/** The 8-bit cache of a real model: a quarter of the memory, logits near those of f32, the same rules for forks and pieces. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { snapKV } from "../../src/press/methods/snapkv.ts";
import { loadModel, type Model } from "../../src/runtimes/node.ts";
import { assertSame } from "../support/assertions.ts";
import { integers } from "../support/random.ts";

const test = suite("8-bit cache");
let model: Model;
let tokens: Int32Array;

test.before(async () => {
  model = await loadModel("models/nano");
  tokens = Int32Array.from(model.tokenizer.encode(readFileSync("LICENSE", "utf8")));
});
test.after(() => model.dispose());

/** Mean |difference|. */
function distance(one: Float32Array, other: Float32Array): number {
  return one.reduce((sum, value, index) => sum + Math.abs(value - other[index]!), 0) / one.length;
}

/** Every head's own entries, as many in each. */
function draws(count: number, length: number, seed: number): Int32Array[][] {
  const draw = integers(seed);
  return Array.from({ length: 8 }, () =>
    Array.from({ length: 2 }, () => {
      const chosen = new Set<number>([0]);
      while (chosen.size < count) chosen.add(draw(length));
      return Int32Array.from(chosen).sort();
    }),
  );
}

for (const scheme of ["contiguous", "original"] as const) {
  test(`logits within 0.15 of those of f32, before and after entries are dropped, ${scheme}`, () => {
    const sessions = (["f32", "q8"] as const).map((cache) => model.createSession({ scheme, cache }));
    const compare = (next: Int32Array) => {
      const [exact, short] = sessions.map((session) => session.prefill(next)) as [Float32Array, Float32Array];
      const difference = distance(short, exact);
      assert.ok(difference > 0 && difference <= 0.15, `mean difference ${difference}`);
    };
    compare(tokens.subarray(0, 700));
    compare(tokens.subarray(700, 701));
    for (const seed of [1, 2]) {
      const kept = draws(300, 701, seed);
      if (seed === 1) for (const session of sessions) session.keep(kept);
      else for (const session of sessions) session.keep(draws(200, session.cacheLength(0, 0), seed));
      compare(tokens.subarray(701, 702));
      compare(tokens.subarray(702, 742));
    }
    const [exact, short] = sessions as [(typeof sessions)[0], (typeof sessions)[0]];
    for (const [layer, head] of [
      [0, 1],
      [7, 0],
    ] as const) {
      assert.equal(short.positions(layer, head), exact.positions(layer, head));
      assert.is(short.keys(layer, head).length, exact.keys(layer, head).length);
    }
    for (const session of sessions) session.dispose();
  });
}

test("little over a quarter of the memory, freed when entries are dropped", () => {
  const [exact, short] = (["f32", "q8"] as const).map((cache) => {
    const session = model.createSession({ cache });
    session.prefill(tokens.subarray(0, 1024));
    return session;
  }) as [ReturnType<Model["createSession"]>, ReturnType<Model["createSession"]>];
  // 64 keys and values of a byte, 4 scales of 2 and a position of 4: 140 bytes of 512; the table is the same.
  assert.ok(short.byteLength / exact.byteLength < 0.28, `${short.byteLength} of ${exact.byteLength}`);
  const before = short.byteLength;
  short.keep(draws(256, 1024, 3));
  assert.ok(short.byteLength < before * 0.27, `${short.byteLength} of ${before}`);
  exact.dispose();
  short.dispose();
});

test("forks do not see each other", () => {
  const session = model.createSession({ cache: "q8" });
  session.prefill(tokens.subarray(0, 300));
  const [one, other] = [session.fork(), session.fork()];
  const expected = other.fork().prefill(tokens.subarray(300, 310));
  one.keep(draws(64, 300, 4));
  one.prefill(tokens.subarray(500, 540));
  assertSame(other.prefill(tokens.subarray(300, 310)), expected);
  assertSame(session.prefill(tokens.subarray(300, 310)), expected);
  for (const each of [one, other, session]) each.dispose();
});

test("one thread and two give the same bits", async () => {
  const pair = await loadModel("models/nano", { threads: 2 });
  const results = [model, pair].map((each) => {
    const session = each.createSession({ cache: "q8" });
    const logits = [session.prefill(tokens.subarray(0, 400)), session.decode(tokens[400]!)];
    session.keep(draws(100, 401, 5));
    logits.push(session.prefill(tokens.subarray(401, 420)), session.decode(tokens[420]!));
    session.dispose();
    return logits;
  });
  assertSame(results[1], results[0]);
  pair.dispose();
});

test("a press compresses it as it does f32, but for near ties", () => {
  const [exact, short] = (["f32", "q8"] as const).map((cache) => {
    const session = model.createSession({ cache });
    session.prefill(tokens.subarray(0, 600), { press: snapKV(), budget: 150 });
    const lists = Array.from({ length: 8 }, (_, layer) => [0, 1].map((head) => session.positions(layer, head)));
    session.dispose();
    return lists.flat();
  }) as [Int32Array[], Int32Array[]];
  let same = 0;
  for (const [index, list] of short.entries()) {
    assert.is(list.length, 150);
    const wanted = new Set(exact[index]);
    same += list.filter((position) => wanted.has(position)).length;
  }
  assert.ok(same / (16 * 150) > 0.95, `${same} of ${16 * 150} entries are the same`);
});

test.run();
