/** Every family from GGUF against transformers, and its compression: kept entries in new places, windows, 8-bit caches. */
import { existsSync, readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { KeyValueCache } from "../../src/cache/cache.ts";
import { definePress, expectedAttention, keyDiff, snapKV } from "../../src/press.ts";
import { rotate, unrotate } from "../../src/rotary/rotate.ts";
import { loadModel, type Model } from "../../src/runtimes/node.ts";
import { likeliest } from "../../src/session/sampling.ts";
import { assertNear } from "../support/assertions.ts";
import { familyGguf, familyNames, familyRecords, familySource } from "../support/families.ts";
import { integers } from "../support/random.ts";

const test = suite("families");

/** Float32 and float64 of the reference differ by up to 3.2e-5; ours by as much, and its float32 angles by 4e-5. */
const TOLERANCE = 1e-4;
/** Kept keys are turned once more than those that are rotated where they stand: 3e-7 of keys of up to 9. */
const TURNED_TOLERANCE = 1e-4;

for (const name of familyNames.filter((name) => existsSync(familyGguf(name)))) {
  test(`${name} from GGUF`, async () => {
    const tensors = familyRecords(name);
    const model = await loadModel(new Uint8Array(readFileSync(familyGguf(name))), { weights: "f32" });
    for (const length of [90, 40]) {
      const session = model.createSession();
      let logits = session.prefill(tensors.i32(`tokens${length}`));
      assertNear(logits, tensors.f32(`logits${length}`), () => TOLERANCE);
      for (const [step, token] of tensors.i32(`greedy${length}`).entries()) {
        assert.is(likeliest(logits), token, `step ${step}`);
        logits = session.decode(token);
      }
      session.dispose();
    }
    model.dispose();
  });
}

/** Runs a text behind a cache. @returns logits of its last token */
function read(model: Model, cache: KeyValueCache, text: Int32Array): Float32Array {
  const { decoder } = model.engine;
  const logits = { first: text.length - 1, count: 1 };
  return cache.attempt(() => decoder.forward(cache, { text, logits }), true);
}

for (const name of familyNames) {
  test(`${name}: kept entries in new places are those of a cache made there`, async () => {
    const tensors = familyRecords(name);
    const model = await loadModel(familySource(name), { weights: "f32" });
    const { engine } = model;
    const { layers, kvHeads, headSize } = model.config;
    const random = integers(7);
    const tokens = tensors.i32("tokens90");
    const next = tensors.i32("tokens40").subarray(0, 8);
    const kept = 14;
    const turned = engine.createCache("f32", "contiguous");
    read(model, turned, tokens);
    const made = engine.createCache("f32", "contiguous");
    // Frequencies that go by the length are those of the longer text.
    made.expect(tokens.length);
    read(model, made, tokens.subarray(0, kept));
    const lists = Array.from({ length: layers * kvHeads }, (_, index) => {
      const length = turned.length(Math.floor(index / kvHeads), index % kvHeads);
      const chosen = new Set<number>();
      while (chosen.size < kept) chosen.add(random(length));
      return Int32Array.from([...chosen].sort((a, b) => a - b));
    });
    const listOf = (layer: number, head: number) => lists[layer * kvHeads + head]!;
    const places = Int32Array.from({ length: kept }, (_, entry) => entry);
    const content = (layer: number, head: number) => {
      const { frequencies } = turned.turning(layer);
      const before = unrotate(turned.keys(layer, head), headSize, turned.places(layer, head), frequencies);
      const pick = (rows: Float32Array) =>
        Float32Array.from(
          [...listOf(layer, head)].flatMap((entry) => [...rows.subarray(entry * headSize, (entry + 1) * headSize)]),
        );
      const keys = rotate(pick(before), headSize, places, frequencies);
      return { keys, values: pick(turned.values(layer, head)) };
    };
    made.keep(() => places, content);
    turned.keep(listOf);
    for (let layer = 0; layer < layers; layer++) {
      assertNear(turned.keys(layer, 0), made.keys(layer, 0), () => 2e-5, `keys of layer ${layer}`);
    }
    assertNear(read(model, turned, next), read(model, made, next), () => TURNED_TOLERANCE);
    model.dispose();
  });
}

for (const name of ["mistral", "gemma2", "gemma3"]) {
  test(`${name}: a layer with a window holds what it sees, whatever was read`, async () => {
    const model = await loadModel(familySource(name), { weights: "f32" });
    const { layers, layerPattern } = model.config;
    const tokens = familyRecords(name).i32("tokens90");
    for (const cache of ["f32", "q8"] as const) {
      const session = model.createSession({ cache });
      session.prefill(tokens);
      for (let step = 0; step < 150; step++) session.decode(tokens[step % 90]!);
      for (let layer = 0; layer < layers; layer++) {
        const { window } = layerPattern[layer % layerPattern.length]!;
        assert.is(session.cacheLength(layer, 1), window ?? 240);
        const first = 240 - (window ?? 240);
        assert.equal(
          session.positions(layer, 1),
          Int32Array.from({ length: window ?? 240 }, (_, i) => first + i),
        );
      }
      const whole = session.byteLength;
      for (let step = 0; step < 64; step++) session.decode(tokens[step % 90]!);
      const windows = layerPattern.filter(({ window }) => window !== undefined).length;
      const growth = session.byteLength - whole;
      const page = model.engine.pageBytes(cache);
      assert.ok(growth <= 2 * (2 * (layers - windows) + 2 * windows) * page + 4096, `grew by ${growth}`);
      const copy = model.openSession(session.save());
      assert.equal(copy.decode(5), session.decode(5));
      session.dispose();
      copy.dispose();
    }
    model.dispose();
  });
}

for (const name of familyNames) {
  test(`${name}: an 8-bit cache answers nearly alike, as keys in 8 bits err by up to 3%`, async () => {
    const tensors = familyRecords(name);
    const model = await loadModel(familySource(name), { weights: "f32" });
    const results = (["f32", "q8"] as const).map((cache) => {
      const session = model.createSession({ cache });
      session.prefill(tensors.i32("tokens90"));
      return session.decode(7);
    });
    const spread = Math.max(...results[0]!) - Math.min(...results[0]!);
    assertNear(results[1]!, results[0]!, () => spread / 40);
    model.dispose();
  });
}

/** Layers with a window keep it where others see everything; where none does, they are chosen for like any. */
for (const name of familyNames) {
  test(`${name}: presses choose for the layers that see everything`, async () => {
    const model = await loadModel(familySource(name), { weights: "f32" });
    const { layers, layerPattern } = model.config;
    const mixed = new Set(layerPattern.map(({ window }) => window === undefined)).size > 1;
    const tokens = familyRecords(name).i32("tokens90");
    const windowOf = (layer: number) => layerPattern[layer % layerPattern.length]!.window;
    for (const press of [
      snapKV({ windowSize: 8, kernelSize: 3 }),
      expectedAttention({ nFuturePositions: 16 }),
      keyDiff(),
    ]) {
      const session = model.createSession();
      session.prefill(tokens, { press, budget: 20 });
      for (let layer = 0; layer < layers; layer++) {
        assert.is(session.cacheLength(layer, 0), mixed ? (windowOf(layer) ?? 20) : 20, `${press.name}, layer ${layer}`);
      }
      assert.ok(session.decode(7).every(Number.isFinite));
      session.dispose();
    }
    const session = model.createSession({ contextSize: 200 });
    await session.read(tokens, { questions: ["abc", "x"], budget: 24, chunkLength: 40 });
    for (let layer = 0; layer < layers; layer++) {
      assert.is(session.cacheLength(layer, 0), mixed ? (windowOf(layer) ?? 24) : 24, `read, layer ${layer}`);
    }
    model.dispose();
  });
}

/** What SnapKV sees of a layer is what the forward pass weighs: same scale, same caps, norms before. */
for (const name of familyNames) {
  test(`${name}: attention as presses see it is that of the forward pass`, async () => {
    const model = await loadModel(familySource(name), { weights: "f32" });
    const { kvHeads, queryHeads, headSize } = model.config;
    const tokens = familyRecords(name).i32("tokens40").subarray(0, 30);
    let checked = 0;
    const look = definePress({
      name: "look",
      paper: "a test",
      options: {},
      needs: () => ({ queryRows: 1 }),
      score: (layer) => {
        // What the last row takes of the values, through the output projection, is what that layer adds.
        for (let head = 0; head < kvHeads; head++) {
          for (const [member, weights] of layer.attention(head, 1).entries()) {
            assert.is(weights.length, layer.length(head));
            const query = layer.rotatedQueries(head * (queryHeads / kvHeads) + member);
            const keys = layer.keys(head);
            const { attentionScale, scoreCap } =
              model.config.layerPattern[layer.layer % model.config.layerPattern.length]!;
            const scores = Array.from(weights, (_, entry) => {
              let sum = 0;
              for (let i = 0; i < headSize; i++) sum += query[i]! * keys[entry * headSize + i]!;
              return scoreCap ? scoreCap * Math.tanh((sum * attentionScale) / scoreCap) : sum * attentionScale;
            });
            const largest = Math.max(...scores);
            const total = scores.reduce((sum, score) => sum + Math.exp(score - largest), 0);
            assertNear(
              weights,
              scores.map((score) => Math.exp(score - largest) / total),
              () => 1e-5,
            );
            checked++;
          }
        }
        return Array.from({ length: kvHeads }, (_, head) => new Float32Array(layer.length(head)));
      },
    });
    const session = model.createSession();
    session.prefill(tokens, { press: look(), budget: 29 });
    assert.ok(checked > 0);
    model.dispose();
  });
}

test.run();
