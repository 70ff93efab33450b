/** Budgets: entries, parts, bytes, protected places, shared among heads; memory falls as told, in both forms of the cache. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Budget } from "../../src/press/budget.ts";
import type { PassPress } from "../../src/press/press.ts";
import { ArgumentError, type Model, press, type Session } from "../../src/runtimes/node.ts";

import { context, keptBy, kvHeads, layers, model, recordedSets } from "./recorded.ts";

const test = suite("budgets");
const tokens = Int32Array.from(context.context_ids);
const length = tokens.length;
const PAGE_ENTRIES = 32;

type Options = Parameters<Model["createSession"]>[0];

function compressed(method: PassPress, budget: Budget, options: Options = {}, text = tokens): Session {
  const session = model.createSession(options);
  session.prefill(text, { press: method, ...budget });
  return session;
}

/** Entries of every head, layer by layer. */
const lengths = (session: Session) => keptBy(session).flatMap((heads) => heads.map((list) => list.length));
const everywhere = (count: number) => Array.from({ length: layers * kvHeads }, () => count);

/** What whole caches of so many entries a head take, in bytes. */
function fullBytes(options: Options): { bytes: number; pageBytes: number } {
  const session = model.createSession(options);
  session.prefill(tokens);
  const bytes = session.byteLength;
  session.dispose();
  const perEntry = options?.cache === "q8" ? 140 : 512;
  return { bytes, pageBytes: PAGE_ENTRIES * perEntry };
}

test("a number of entries, one for all heads or one for each, and a part", () => {
  const cases: [Budget, number[]][] = [
    [{ budget: 100 }, everywhere(100)],
    [{ budget: 1 }, everywhere(1)],
    [{ budget: 10_000 }, everywhere(length)],
    [{ ratio: 0 }, everywhere(length)],
    [{ ratio: 0.7 }, everywhere(Math.trunc(length * (1 - 0.7)))],
    [{ ratio: 0.9999 }, everywhere(1)],
  ];
  for (const [budget, expected] of cases) {
    const session = compressed(press("knorm"), budget);
    assert.equal(lengths(session), expected, JSON.stringify(budget));
    session.dispose();
  }
  const each = Array.from({ length: layers }, (_, layer) => [10 + 20 * layer, 300 - layer]);
  const session = compressed(press("snapkv"), { budget: each });
  assert.equal(lengths(session), each.flat());
  session.dispose();
});

test("a pyramid over layers and shares among heads keep what uniform budgets would, in all", () => {
  for (const method of [
    press("pyramidkv"),
    press("adakv", { press: "snapkv" }),
    press("pyramid", { press: "knorm" }),
  ]) {
    const session = compressed(method, { ratio: 0.5 });
    const kept = lengths(session);
    assert.ok(new Set(kept).size > 1, `${method.name} keeps different numbers`);
    const uniform = Math.trunc(length * 0.5) * layers * kvHeads;
    const total = kept.reduce((a, b) => a + b, 0);
    // At more than this the pyramid would be narrower than its window, and kvpress makes all layers equal; it rounds each layer's budget.
    assert.ok(Math.abs(total - uniform) <= layers * kvHeads, `${method.name}: ${total} for ${uniform}`);
    session.dispose();
  }
});

for (const cache of ["f32", "q8"] as const) {
  test(`after AdaKV at 0.8 at most 22% of the pages are held, and one a head, ${cache}`, () => {
    const { bytes, pageBytes } = fullBytes({ cache });
    for (const inner of ["snapkv", "knorm", "expectedattention"]) {
      const session = compressed(press("adakv", { press: inner }), { ratio: 0.8 }, { cache });
      const most = bytes * 0.22 + layers * kvHeads * pageBytes;
      assert.ok(session.byteLength <= most, `${inner}: ${session.byteLength} bytes of ${bytes}`);
      session.dispose();
    }
  });

  test(`a budget in bytes is kept, ${cache}`, () => {
    const { bytes, pageBytes } = fullBytes({ cache });
    for (const part of [0.1, 0.35, 0.8]) {
      for (const method of [press("knorm"), press("adakv", { press: "snapkv" }), press("pyramidkv")]) {
        const allowed = Math.floor(bytes * part);
        const session = compressed(method, { bytes: allowed }, { cache });
        assert.ok(session.byteLength <= allowed, `${method.name}: ${session.byteLength} of ${allowed}`);
        // Two pages a head: one that rounding down loses, one for heads of different lengths.
        const least = allowed - 2 * layers * kvHeads * pageBytes;
        assert.ok(session.byteLength >= least, `${method.name}: ${session.byteLength} of ${allowed}, too few`);
        session.dispose();
      }
    }
    assert.throws(
      () => compressed(press("knorm"), { bytes: 1000 }, { cache }),
      /bytes should be at least \d+, a page for each of 16 heads, and is 1000/,
    );
  });
}

test("what is protected survives every score", () => {
  const protect = { first: 7, last: 20 };
  for (const method of [press("knorm"), press("adakv", { press: "snapkv" }), press("random", { seed: 3 })]) {
    const session = compressed(method, { budget: 60, protect }, { scheme: "original" });
    for (const list of keptBy(session).flat()) {
      assert.equal([...list.subarray(0, 7)], [0, 1, 2, 3, 4, 5, 6], method.name);
      const newest = Array.from({ length: 20 }, (_, index) => length - 20 + index);
      assert.equal([...list.subarray(-20)], newest, method.name);
    }
    session.dispose();
  }
});

test("budgets that cannot be are refused, and the cache stays whole", () => {
  const session = model.createSession();
  session.prefill(tokens);
  for (const [budget, message] of [
    [{ budget: 0 }, /budget should be a positive whole number of entries and is 0/],
    [{ budget: 2.5 }, /is 2.5/],
    [{ budget: [[1, 1]] }, /budget should be a number, or 8 lists of 2 numbers/],
    [{ ratio: 1 }, /ratio should be in \[0, 1\) and is 1/],
    [{ ratio: Number.NaN }, /is NaN/],
    [{ budget: 10, protect: { first: -1 } }, /protect.first should be a whole number of entries and is -1/],
  ] as const) {
    assert.throws(
      () => session.compress(press("knorm"), budget),
      (error: Error) => error instanceof ArgumentError && message.test(error.message),
      JSON.stringify(budget),
    );
  }
  assert.equal(lengths(session), everywhere(length));
  session.dispose();
});

test("presses of every kind keep as many entries of an 8-bit cache, and logits stay near, in both schemes", () => {
  const question = Int32Array.from(context.question_ids);
  const sets = recordedSets("adakv_snapkv_0.5", "kept");
  for (const scheme of ["contiguous", "original"] as const) {
    for (const [name, parameters] of [
      ["streamingllm", {}],
      ["tova", {}],
      ["expectedattention", {}],
      ["keydiff", {}],
      ["chunkkv", { press: "snapkv" }],
      ["criticaladakv", { press: "snapkv" }],
      ["kvzip", {}],
    ] as const) {
      const [exact, short] = (["f32", "q8"] as const).map((cache) => {
        const session = compressed(
          press(name, parameters) as PassPress,
          { ratio: 0.6 },
          { scheme, cache },
          tokens.subarray(0, 200),
        );
        const total = lengths(session).reduce((a, b) => a + b, 0);
        session.dispose();
        return total;
      });
      assert.is(short, exact, `${name}, ${scheme}`);
    }
    const [exact, short] = (["f32", "q8"] as const).map((cache) => {
      const session = model.createSession({ scheme, cache });
      session.prefill(tokens);
      session.keep(sets);
      const logits = session.prefill(question);
      session.dispose();
      return logits;
    }) as [Float32Array, Float32Array];
    const distance = exact.reduce((sum, value, index) => sum + Math.abs(value - short[index]!), 0) / exact.length;
    assert.ok(distance > 0 && distance <= 0.15, `mean difference ${distance}, ${scheme}`);
  }
});

test.run();
