/** Models of many sizes, with biases and scaled RoPE, against float64 and llama.cpp: logits, keys, values, 8 bits, threads. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadModel, type Session } from "../../src/runtimes/node.ts";
import { assertNear, assertSame, largestMagnitude } from "../support/assertions.ts";
import { type PlainResult, plainForward } from "../support/plain-forward.ts";
import { tinyGguf } from "../support/tiny-model.ts";
import { variationTokens as tokens, variations } from "./variations.ts";

const test = suite("variations");

/** What float32 costs in two layers of sums of up to 256 products of numbers around 1, ten roundings deep. */
const TOLERANCE = 2e-5;
/** Recorded to five digits. */
const RECORDED = TOLERANCE + 1e-5;

const { ids, cases } = JSON.parse(readFileSync("test/fixtures/gguf/llama-cpp.json", "utf8")) as {
  ids: number[];
  cases: Record<string, number[]>;
};

test("llama.cpp has seen them all", () => {
  assert.equal(Object.keys(cases).sort(), [...variations.keys()].sort());
});

function logProbabilities(logits: Float32Array): number[] {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const sum = logits.reduce((total, value) => total + Math.exp(value - largest), 0);
  return ids.map((id) => logits[id]! - largest - Math.log(sum));
}

/** Keys and values of every head. @param allowed in each layer, of the largest magnitude in a head */
function assertEntries(session: Session, expected: PlainResult, allowed: readonly [number, number]): void {
  for (const part of ["keys", "values"] as const) {
    for (const [layer, heads] of expected[part].entries()) {
      for (const [head, entries] of heads.entries()) {
        const tolerance = allowed[layer]! * largestMagnitude(entries);
        assertNear(session[part](layer, head), entries, () => tolerance, `${part} of layer ${layer}, head ${head}`);
      }
    }
  }
}

for (const [name, { model, changes, rotary }] of variations) {
  test(name, async () => {
    const file = tinyGguf(model, changes);
    const expected = plainForward(model, tokens, rotary);
    const loaded = await loadModel(file, { weights: "f32" });
    assert.is(loaded.config.headSize, model.sizes.headSize);
    assert.is(loaded.config.hiddenSize, model.sizes.width);

    const session = loaded.createSession();
    const logits = session.prefill(tokens);
    assertNear(logits, expected.logits, () => TOLERANCE, "prefill");
    assertNear(logProbabilities(logits), cases[name]!, () => RECORDED, "llama.cpp");
    assertEntries(session, expected, [TOLERANCE, TOLERANCE]);

    const steps = loaded.createSession();
    steps.prefill(tokens.slice(0, 9));
    let last: Float32Array = new Float32Array(0);
    for (const token of tokens.slice(9)) last = steps.decode(token);
    assertNear(last, expected.logits, () => TOLERANCE, "decoded");

    // 8 bits: half a step of a 127th of each block, and a key's two halves meet when it is turned; what the first layer
    // sees of that moves what enters the second.
    const eight = loaded.createSession({ cache: "q8" });
    eight.prefill(tokens.slice(0, -1));
    last = eight.decode(tokens.at(-1)!);
    assertEntries(eight, expected, [0.006, 0.02]);
    assertNear(last, expected.logits, () => 0.1, "8-bit cache");
    loaded.dispose();

    const shared = await loadModel(file, { weights: "f32", threads: 3 });
    assertSame(shared.createSession().prefill(tokens), logits, "3 threads");
    shared.dispose();

    for (const weights of ["q8", "q4"] as const) {
      const small = await loadModel(file, { weights });
      const near = small.createSession().prefill(tokens);
      const off = Math.sqrt(near.reduce((sum, value, i) => sum + (value - logits[i]!) ** 2, 0) / near.length);
      // Weights off by a 254th and a 30th of their blocks' ranges move logits of size 1 by about as much.
      assert.ok(off < (weights === "q8" ? 0.03 : 0.4), `${weights}: ${off}`);
      small.dispose();
    }
  });
}

test.run();
