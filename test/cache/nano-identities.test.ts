/** What must hold of a real model's cache whatever its weights: kept whole, moved, forked, questioned, filled in pieces. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { KeyValueCache } from "../../src/cache/cache.ts";
import { f32Pages, PAGE_ENTRIES } from "../../src/cache/page-form.ts";
import { PagePool } from "../../src/cache/pages.ts";
import { knorm, loadModel, type Model, type Session } from "../../src/runtimes/node.ts";
import { assertNear, assertSame } from "../support/assertions.ts";
import { integers } from "../support/random.ts";

const test = suite("nano: cache identities");
let model: Model;
let tokens: Int32Array;
let books: number;

/** f32 logits of nano err by 1e-5 against f64; the path may differ in rounding, not in more. */
const TOLERANCE = 1e-4;

test.before(async () => {
  model = await loadModel("models/nano");
  tokens = Int32Array.from(model.tokenizer.encode(readFileSync("LICENSE", "utf8")));
  assert.ok(tokens.length > 1500);
  // The largest batch, and rows for all positions: what the model holds besides its sessions' caches.
  const session = model.createSession();
  session.prefill(tokens.subarray(0, 1500));
  session.keep(lists(() => [0]));
  session.dispose();
  books = bytesInUse();
});
test.after(() => model.dispose());

const layers = 8;
const kvHeads = 2;
const lists = (choose: (layer: number, head: number) => ArrayLike<number>) =>
  Array.from({ length: layers }, (_, layer) => Array.from({ length: kvHeads }, (_, head) => choose(layer, head)));
/** Bytes in use behind a batch that is always the same: the decoder keeps the last one's tape. */
function bytesInUse(): number {
  const session = model.createSession();
  session.decode(0);
  session.dispose();
  return model.memory.bytesInUse;
}
const range = (first: number, end: number) => Int32Array.from({ length: end - first }, (_, i) => first + i);
/** Everything that can be read of a session's cache. */
const contents = (session: Session | KeyValueCache) =>
  lists(() => []).map((heads, layer) =>
    heads.map((_, head) => [session.keys(layer, head), session.values(layer, head), session.positions(layer, head)]),
  );

test("the sizes are nano's", () => {
  assert.is(model.config.layers, layers);
  assert.is(model.config.kvHeads, kvHeads);
});

for (const scheme of ["contiguous", "original"] as const) {
  test(`keeping everything changes no bit of the logits, ${scheme}`, () => {
    const session = model.createSession({ scheme });
    session.prefill(tokens.subarray(0, 200));
    const [kept, pressed] = [session.fork(), session.fork()];
    kept.keep(lists(() => range(0, 200)));
    pressed.compress(knorm(), { ratio: 0 });
    for (const next of [tokens.subarray(200, 207), tokens.subarray(207, 208)]) {
      const logits = session.prefill(next);
      assertSame(kept.prefill(next), logits);
      assertSame(pressed.prefill(next), logits);
    }
    for (const each of [session, kept, pressed]) each.dispose();
    assert.is(bytesInUse(), books);
  });
}

test("a suffix at 0..S-1 and at P..P+S-1 give the same logits and scores", () => {
  const [length, suffix] = [900, 300];
  const after = tokens.subarray(length, length + 40);
  const results = (["contiguous", "original"] as const).map((scheme) => {
    const session = model.createSession({ scheme });
    session.prefill(tokens.subarray(0, length));
    session.keep(lists(() => range(length - suffix, length)));
    const logits = [session.prefill(after), session.decode(tokens[5]!)];
    const positions = session.positions(0, 0);
    const keys = session.keys(7, 1);
    session.dispose();
    return { logits, positions, keys };
  });
  const [moved, still] = results as [(typeof results)[0], (typeof results)[0]];
  assert.equal(moved.positions, still.positions);
  assert.is(moved.positions[0], length - suffix);
  // The keys themselves do differ: one is turned back by 600 positions.
  assert.ok(moved.keys.some((value, i) => Math.abs(value - still.keys[i]!) > 1));
  for (const [index, logits] of moved.logits.entries()) assertNear(logits, still.logits[index]!, () => TOLERANCE);
});

test("heads of unequal lengths: each sees its own entries at its own distance", () => {
  const length = 400;
  const random = integers(31);
  const chosen = lists((layer, head) => range(0, length).filter(() => random(4 + layer) > head));
  const [contiguous, original] = (["contiguous", "original"] as const).map((scheme) => {
    const session = model.createSession({ scheme });
    session.prefill(tokens.subarray(0, length));
    session.keep(lists((layer, head) => range(length - 40 * (layer + 1) - 25 * head, length)));
    const logits = session.prefill(tokens.subarray(length, length + 9));
    const fork = session.fork();
    fork.keep(lists((layer, head) => range(0, fork.cacheLength(layer, head)).filter((entry) => entry !== 3)));
    const positions = contents(fork).map((heads) => heads.map(([, , list]) => list));
    fork.dispose();
    session.dispose();
    return { logits, positions };
  }) as [{ logits: Float32Array; positions: unknown }, { logits: Float32Array; positions: unknown }];
  // Every head's entries are a suffix of the text, which relativity makes the same wherever it stands.
  assertNear(contiguous.logits, original.logits, () => TOLERANCE);
  assert.equal(contiguous.positions, original.positions);
  const session = model.createSession();
  session.prefill(tokens.subarray(0, length));
  session.keep(chosen);
  for (const [layer, heads] of chosen.entries()) {
    for (const [head, list] of heads.entries()) assert.equal(session.positions(layer, head), Int32Array.from(list));
  }
  session.dispose();
  assert.is(bytesInUse(), books);
});

test("two forks fed different text do not see each other: the bits are those of a session alone", () => {
  const pieces = (fork: number) =>
    [0, 1, 2, 3].map((step) => tokens.subarray(300 + 50 * fork + 9 * step).subarray(0, 1 + 4 * step));
  const alone = [0, 1].map((fork) => {
    const session = model.createSession();
    session.prefill(tokens.subarray(0, 100));
    const logits = pieces(fork).map((piece) => session.prefill(piece));
    const result = { logits, contents: contents(session) };
    session.dispose();
    return result;
  });
  const parent = model.createSession();
  parent.prefill(tokens.subarray(0, 100));
  const before = contents(parent);
  const forks = [parent.fork(), parent.fork()];
  const logits: Float32Array[][] = [[], []];
  for (let step = 0; step < 4; step++) {
    for (const [index, fork] of forks.entries()) logits[index]!.push(fork.prefill(pieces(index)[step]!));
  }
  assert.not.equal(logits[0], logits[1]);
  for (const [index, fork] of forks.entries()) {
    assertSame(logits[index], alone[index]!.logits);
    assertSame(contents(fork), alone[index]!.contents);
  }
  assertSame(contents(parent), before);
  for (const session of [parent, ...forks]) session.dispose();
  assert.is(bytesInUse(), books);
});

test("a question's own run leaves no trace in cache, positions or memory", () => {
  const { core, decoder } = model.engine;
  const pool = new PagePool(core, f32Pages(core, decoder.layout.head));
  const question = tokens.subarray(1000, 1023);
  const cache = new KeyValueCache(pool, layers, kvHeads, "contiguous");
  decoder.forward(cache, { text: tokens.subarray(0, 150) });
  const [before, pages] = [contents(cache), cache.pages];
  const bits = () => pages.map((page) => core.bytes(page, pool.pageBytes).slice());
  const bitsBefore = bits();
  const room = Math.ceil(150 / PAGE_ENTRIES) * PAGE_ENTRIES;
  core.borrow({ scores: layers * kvHeads * room * 4 }, ({ scores }) => {
    core.f32(scores, layers * kvHeads * room).fill(0);
    const target = (layer: number, head: number) => scores + (layer * kvHeads + head) * room * 4;
    decoder.forward(cache, {
      text: new Int32Array(0),
      questions: [question, tokens.subarray(7, 8)],
      scoring: { target, factors: undefined },
    });
    // And it did look: every list has an entry that some token of a question attends to.
    for (let list = 0; list < layers * kvHeads; list++) {
      const largest = Math.max(...core.f32(scores + list * room * 4, 150));
      assert.ok(largest > 0.01 && largest <= 1 + 1e-6, `list ${list}: ${largest}`);
    }
  });
  assert.is(cache.absolutePosition, 150);
  assert.equal(cache.pages, pages);
  assertSame(bits(), bitsBefore);
  assertSame(contents(cache), before);
  cache.dispose();
  assert.is(bytesInUse(), books);
});

test("questions behind a text change no bit of what the text leaves, and run as they would alone", () => {
  const { core, decoder } = model.engine;
  const pool = new PagePool(core, f32Pages(core, decoder.layout.head));
  const [text, questions] = [tokens.subarray(0, 130), [tokens.subarray(600, 611), tokens.subarray(700, 740)]];
  const [with_, without] = [0, 1].map(() => new KeyValueCache(pool, layers, kvHeads, "contiguous")) as [
    KeyValueCache,
    KeyValueCache,
  ];
  const size = model.config.vocabularySize;
  const logits = decoder.forward(with_, { text, questions, logits: { first: 129, count: 52 } });
  const last = [0, 11, 51].map((row) => logits.slice(row * size, (row + 1) * size));
  const alone = decoder.forward(without, { text, logits: { first: 126, count: 4 } });
  assertSame(contents(with_), contents(without));
  assertSame(alone.slice(-size), last[0]);
  // A question's last token sees the text and the question, nothing of the other question.
  for (const [index, question] of questions.entries()) {
    const fork = without.fork();
    const own = decoder.forward(fork, { text: question, logits: { first: question.length - 1, count: 1 } });
    assertNear(last[index + 1]!, own, () => TOLERANCE, `question ${index}`);
    fork.dispose();
  }
  for (const cache of [with_, without]) cache.dispose();
  assert.is(bytesInUse(), books);
});

test("prefill in pieces of any size is prefill in one piece", () => {
  const text = tokens.subarray(0, 701);
  const whole = model.createSession();
  const expected = whole.prefill(text);
  const keys = whole.keys(7, 0);
  const random = integers(32);
  const sizes: [string, () => number][] = [
    ["pieces of 37", () => 37],
    ["pieces of 511", () => 511],
    ["single tokens and others", () => (random(3) ? 1 : 1 + random(90))],
  ];
  for (const [name, size] of sizes) {
    const session = model.createSession();
    let logits: Float32Array = new Float32Array(0);
    for (let first = 0; first < text.length; ) {
      const piece = text.subarray(first, first + size());
      logits = session.prefill(piece);
      first += piece.length;
    }
    assertNear(logits, expected, () => TOLERANCE, name);
    assertNear(session.keys(7, 0), keys, () => TOLERANCE, `${name}, keys`);
    assert.is(session.absolutePosition, 701);
    session.dispose();
  }
  whole.dispose();
  assert.is(bytesInUse(), books);
});

test.run();
