/** Sessions and presses over heads and widths that are padded in the core, and over biases: all see the model's own sizes. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  loadModel,
  type Model,
  press,
  type ScorePress,
  type Session,
  siskin,
  snapKV,
} from "../../src/runtimes/node.ts";
import { assertNear, assertSame, largestMagnitude } from "../support/assertions.ts";
import { type PlainResult, plainForward, plainFrequencies } from "../support/plain-forward.ts";
import { ggufTensors, type RawTensor, tinyFolder, tinyGguf, tinyModel } from "../support/tiny-model.ts";

const test = suite("odd sizes");
const TOLERANCE = 2e-5;
const tokens = Array.from({ length: 40 }, (_, index) => (index * 37 + 11) % 256);

const sizes = { headSize: 12, queryHeads: 6, kvHeads: 2, width: 45, feedForward: 50 };
const tiny = tinyModel(sizes, { attention: true, feedForward: true });
const expected = plainForward(tiny, tokens);
const load = (options = {}) =>
  loadModel(tinyFolder(tiny, { attention_bias: true, mlp_bias: true }), { weights: "f32", ...options });

/** A plain key turned on from one position to another. */
function turned(key: readonly number[], by: number): number[] {
  const half = key.length / 2;
  const angles = plainFrequencies(key.length).map((frequency) => frequency * by);
  return key.map((value, i) => {
    const angle = angles[i % half]!;
    return i < half
      ? value * Math.cos(angle) - key[i + half]! * Math.sin(angle)
      : value * Math.cos(angle) + key[i - half]! * Math.sin(angle);
  });
}

/** Entry `index` of a head's rows. */
const entry = (rows: readonly number[], index: number) => rows.slice(index * 12, (index + 1) * 12);

test("what a press sees is what the model computes", async () => {
  const model = await load();
  let seen = 0;
  const look: ScorePress = {
    kind: "score",
    name: "look",
    needs: { queryRows: 7 },
    score(layer) {
      assert.is(layer.headSize, 12);
      assert.is(layer.hiddenSize, 45);
      assert.is(layer.frequencies.inverseFrequencies.length, 6);
      for (const head of [0, 1]) {
        assertNear(layer.keys(head), expected.keys[layer.layer]![head]!, () => TOLERANCE, "keys");
        assertNear(layer.values(head), expected.values[layer.layer]![head]!, () => TOLERANCE, "values");
      }
      for (let head = 0; head < 6; head++) {
        const rows = expected.queries[layer.layer]!.slice(-7).flatMap((row) => [
          ...row.slice(head * 12, head * 12 + 12),
        ]);
        assertNear(layer.queries(head), rows, () => TOLERANCE, "queries");
        const output = tiny.tensors.get(`model.layers.${layer.layer}.self_attn.o_proj.weight`)!.values;
        const columns = Array.from({ length: 45 * 12 }, (_, at) => {
          return output[Math.floor(at / 12) * 72 + head * 12 + (at % 12)]!;
        });
        assertNear(layer.outputProjection(head), columns, () => 1e-6, "output projection");
      }
      seen++;
      return [0, 1].map((head) => layer.values(head).filter((_, i) => i % 12 === 0));
    },
  };
  const session = model.createSession();
  session.prefill(tokens, { press: look, budget: 20 });
  assert.is(seen, 2);
  assert.is(session.cacheLength(1, 1), 20);
  model.dispose();
});

/** Keys and values of the kept entries: keys turned to their new places. */
function assertKept(session: Session, result: PlainResult, allowed: (layer: number) => number): void {
  for (let layer = 0; layer < 2; layer++) {
    for (let head = 0; head < 2; head++) {
      const positions = [...session.positions(layer, head)];
      const keys = positions.flatMap((position, place) => {
        return turned(entry(result.keys[layer]![head]!, position), place - position);
      });
      const values = positions.flatMap((position) => entry(result.values[layer]![head]!, position));
      for (const [name, rows] of Object.entries({ keys, values })) {
        const tolerance = allowed(layer) * largestMagnitude(rows);
        assertNear(session[name as "keys" | "values"](layer, head), rows, () => tolerance, `${name} ${layer}.${head}`);
      }
    }
  }
}

for (const [cache, allowed] of [
  ["f32", () => TOLERANCE],
  ["q8", (layer: number) => [0.006, 0.02][layer]!],
] as const) {
  test(`${cache}: kept entries are turned to their places, saved, forked and opened again`, async () => {
    const model = await load();
    const session = model.createSession({ cache });
    session.prefill(tokens.slice(0, 33));
    session.prefill(tokens.slice(33));
    session.keep([
      [
        [0, 3, 4, 31, 32, 33, 39],
        [1, 2, 20],
      ],
      [[39], Array.from({ length: 40 }, (_, index) => index)],
    ]);
    assertKept(session, expected, allowed);
    const [fork, opened] = [session.fork(), model.openSession(session.save())];
    const next = session.decode(65);
    assertSame(fork.decode(65), next, "fork");
    assertSame(opened.decode(65), next, "capsule");
    assertSame(opened.keys(0, 0), session.keys(0, 0), "keys");
    assert.is(session.keys(0, 0).length, 8 * 12);
    model.dispose();
  });
}

/** Presses that look at or change more than keys: queries, output projections, rewritten keys and values, replays. */
const methods: readonly (readonly [string, object?])[] = [
  ["knorm"],
  ["snapkv", { windowSize: 8 }],
  ["tova"],
  ["keydiff"],
  ["leveragescore"],
  ["observedattention"],
  ["expectedattention", { nSink: 2 }],
  ["criticalkv", { press: "knorm" }],
  ["merging", { press: "knorm" }],
  ["think", { keyChannelCompressionRatio: 0.5 }],
  ["lagkv", { nSink: 2, lagSize: 8 }],
  ["noncausalattention"],
  ["compactor"],
  ["cur"],
  ["kvzip"],
  ["kvcompose"],
];

for (const [name, parameters] of methods) {
  test(`${name} keeps its budget`, async () => {
    const model = await load();
    for (const cache of ["f32", "q8"] as const) {
      const session = model.createSession({ cache });
      const made = press(name, parameters) as ScorePress;
      session.prefill(tokens, { press: made, ...(made.ownBudget ? {} : { budget: 24 }) } as never);
      const held = [0, 1].map((layer) => session.cacheLength(layer, 0) + session.cacheLength(layer, 1));
      // ThinK thins dimensions, not entries.
      assert.ok(held[0]! + held[1]! <= (name === "think" ? 160 : 96) && held[0]! > 0, `${held}`);
      assert.ok(session.decode(5).every(Number.isFinite));
    }
    model.dispose();
  });
}

test("reading with questions keeps the same excerpt with every number of threads", async () => {
  const text = "The ferry to the island leaves at nine. The key is under the stone. Nobody has seen the cat. ".repeat(
    6,
  );
  const options = { questions: ["Where is the key?", "When?"], budget: 40, chunkLength: 100 };
  const read = async (model: Model) => {
    const session = model.createSession();
    await session.read(text, { ...options, press: siskin() });
    return [...session.positions(1, 1)];
  };
  const one = await load();
  const four = await load({ threads: 4 });
  assert.equal(await read(four), await read(one));
  assert.is((await read(one)).length, 40);
  one.dispose();
  four.dispose();
});

test("8-bit blocks: those of an output layer over padded heads are made anew, the others stay", async () => {
  const model = tinyModel({ headSize: 20, queryHeads: 8, kvHeads: 4, width: 160, feedForward: 96 });
  /** 2^-9 as f16. */
  const [scale, unit] = [0x1800, 2 ** -9];
  const tensors: Record<string, RawTensor> = {};
  for (const [name, { shape, values }] of model.tensors) {
    if (shape.length === 1 || !name.includes("layers")) continue;
    for (const [at, value] of values.entries())
      values[at] = Math.max(-127, Math.min(127, Math.round(value / unit))) * unit;
  }
  for (const [name, { shape, bytes }] of ggufTensors(model)) {
    if (shape.length === 1 || !name.startsWith("blk")) continue;
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const blocks = new Uint8Array((values.length / 32) * 34);
    const view = new DataView(blocks.buffer);
    for (const [at, value] of values.entries()) {
      if (at % 32 === 0) view.setUint16((at / 32) * 34, scale, true);
      view.setInt8(Math.floor(at / 32) * 34 + 2 + (at % 32), value / unit);
    }
    tensors[name] = { shape, type: 8, bytes: blocks };
  }
  const plain = plainForward(model, tokens).logits;
  const file = tinyGguf(model, { tensors });
  const exact = await loadModel(file, { weights: "f32" });
  assertNear(exact.createSession().prefill(tokens), plain, () => 2 * TOLERANCE);
  const auto = await loadModel(file);
  assert.equal(
    auto.tensors.map(({ type, form }) => `${type} ${form}`),
    ["F32 f32", "Q8_0 q8"],
  );
  // Activations of 12 bits, and a 254th of each block of the output layer.
  assertNear(auto.createSession().prefill(tokens), plain, () => 0.02);
  exact.dispose();
  auto.dispose();
});

test("snapkv's choice is that of plain attention", async () => {
  const model = await load();
  const session = model.createSession({ scheme: "original" });
  session.prefill(tokens, { press: snapKV({ windowSize: 4, kernelSize: 1 }), budget: 10 });
  for (const [layer, heads] of expected.keys.entries()) {
    for (const [head, keys] of heads.entries()) {
      const scores = new Float64Array(36);
      for (let row = 36; row < 40; row++) {
        for (let member = head * 3; member < head * 3 + 3; member++) {
          const query = turned([...expected.queries[layer]![row]!.slice(member * 12, member * 12 + 12)], row);
          const products = Array.from({ length: row + 1 }, (_, index) => {
            const key = entry(keys, index);
            return query.reduce((sum, value, i) => sum + value * key[i]!, 0) / Math.sqrt(12);
          });
          const total = products.reduce((sum, product) => sum + Math.exp(product), 0);
          for (let index = 0; index < 36; index++) scores[index]! += Math.exp(products[index]!) / total;
        }
      }
      const ranked = [...scores.keys()].sort((a, b) => scores[b]! - scores[a]!).slice(0, 6);
      const kept = [...ranked, 36, 37, 38, 39].sort((a, b) => a - b);
      assert.equal([...session.positions(layer, head)], kept, `layer ${layer}, head ${head}`);
    }
  }
  model.dispose();
});

test("generation goes on from the last token over padded rows, from a capsule too", async () => {
  const model = await load();
  const gather = async (pieces: AsyncIterable<string>) => {
    let text = "";
    for await (const piece of pieces) text += piece;
    return text;
  };
  const [whole, parts] = [model.createSession(), model.createSession()];
  for (const session of [whole, parts]) session.prefill(tokens);
  await gather(whole.generate("", { maxTokens: 9, ignoreEnd: true }));
  await gather(parts.generate("", { maxTokens: 4, ignoreEnd: true }));
  const opened = model.openSession(parts.save());
  for (const session of [parts, opened]) {
    await gather(session.generate("", { maxTokens: 5, ignoreEnd: true }));
    assert.is(session.absolutePosition, whole.absolutePosition);
    assertSame(session.keys(0, 1), whole.keys(0, 1));
    assertSame(session.decode(7), whole.fork().decode(7));
  }
  model.dispose();
});

test.run();
