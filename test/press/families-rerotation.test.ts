/** Re-rotation of kept keys on tiny models with plain, Llama 3's and YaRN's frequencies, against f64 and transformers. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readSafetensors, type SafetensorsArrays } from "../../src/formats/safetensors-arrays.ts";
import { loadModel, type Model } from "../../src/node.ts";
import { likeliest } from "../../src/session/sampling.ts";
import { assertNear } from "../support/assertions.ts";
import { familySource } from "../support/families.ts";
import { sharedPath } from "../support/shared.ts";

const test = suite("re-rotation of families");

/** Keys are up to 9 in size and go through two f32 rotations: 1e-5 of the size. */
const KEY_TOLERANCE = 9e-5;
/** As of uncompressed logits: ten times what float32 and float64 of the reference differ by. */
const LOGIT_TOLERANCE = 3e-4;

/** The kept entries: [layers][KV heads][kept]. */
function keptSets(tensors: SafetensorsArrays, length: number): Int32Array[][] {
  const kept = tensors.i32(`kept${length}`);
  const [layers, heads, count] = tensors.shape(`kept${length}`) as [number, number, number];
  return Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: heads }, (_, head) => {
      const start = (layer * heads + head) * count;
      return kept.slice(start, start + count);
    }),
  );
}

function check(model: Model, tensors: SafetensorsArrays, tokens: Int32Array, length: number): void {
  const session = model.createSession({ scheme: "contiguous" });
  session.prefill(tokens);
  const kept = keptSets(tensors, length);
  session.keep(kept);
  for (const [layer, heads] of kept.entries()) {
    const after = tensors.f32(`after${length}.${layer}`);
    const size = after.length / heads.length;
    for (const [head, list] of heads.entries()) {
      assert.equal(session.positions(layer, head), list);
      assertNear(session.keys(layer, head), after.subarray(head * size, (head + 1) * size), () => KEY_TOLERANCE);
    }
  }
  const logits = session.prefill(tensors.i32(`next${length}`));
  const expected = tensors.f32(`logits${length}`);
  assertNear(logits, expected, () => LOGIT_TOLERANCE);
  assert.is(likeliest(logits), likeliest(expected));
  session.dispose();
}

for (const name of ["llama", "llama3", "yarn"]) {
  const source = familySource(name);
  const text = sharedPath(`fixtures/families/${name}/expected.safetensors`);
  const press = sharedPath(`fixtures/presses/families/${name}.safetensors`);
  if (!source || !text || !press) continue;
  test(name, async () => {
    const model = await loadModel(source, { weights: "f32" });
    const tokens = readSafetensors(readFileSync(text));
    const tensors = readSafetensors(readFileSync(press));
    for (const length of [90, 40]) check(model, tensors, tokens.i32(`tokens${length}`), length);
    model.dispose();
  });
}

test.run();
