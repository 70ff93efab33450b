/** Re-rotation of kept keys on tiny models with plain, Llama 3's and YaRN's frequencies, against f64 and transformers. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { SafetensorsArrays } from "../../src/formats/safetensors-arrays.ts";
import { loadModel, type Model } from "../../src/runtimes/node.ts";
import { likeliest } from "../../src/session/sampling.ts";
import { assertNear } from "../support/assertions.ts";
import { familyRecords, familySource } from "../support/families.ts";

const test = suite("re-rotation of families");

/** Keys are up to 9 in size and go through two f32 rotations: 1e-5 of the size. */
const KEY_TOLERANCE = 9e-5;
/** As of uncompressed logits: ten times what float32 and float64 of the reference differ by. */
const LOGIT_TOLERANCE = 3e-4;

/** The kept entries: [layers][KV heads][kept]. */
function keptSets(tensors: SafetensorsArrays, length: number): Int32Array[][] {
  const kept = tensors.i32(`rerotated.kept${length}`);
  const [layers, heads, count] = tensors.shape(`rerotated.kept${length}`) as [number, number, number];
  return Array.from({ length: layers }, (_, layer) =>
    Array.from({ length: heads }, (_, head) => {
      const start = (layer * heads + head) * count;
      return kept.slice(start, start + count);
    }),
  );
}

function check(model: Model, tensors: SafetensorsArrays, length: number): void {
  const session = model.createSession({ scheme: "contiguous" });
  session.prefill(tensors.i32(`tokens${length}`));
  const kept = keptSets(tensors, length);
  session.keep(kept);
  for (const [layer, heads] of kept.entries()) {
    const after = tensors.f32(`rerotated.after${length}.${layer}`);
    const size = after.length / heads.length;
    for (const [head, list] of heads.entries()) {
      assert.equal(session.positions(layer, head), list);
      assertNear(session.keys(layer, head), after.subarray(head * size, (head + 1) * size), () => KEY_TOLERANCE);
    }
  }
  const logits = session.prefill(tensors.i32(`rerotated.next${length}`));
  const expected = tensors.f32(`rerotated.logits${length}`);
  assertNear(logits, expected, () => LOGIT_TOLERANCE);
  assert.is(likeliest(logits), likeliest(expected));
  session.dispose();
}

for (const name of ["llama", "llama3", "yarn", "phi3", "qwen3"]) {
  test(name, async () => {
    const model = await loadModel(familySource(name), { weights: "f32" });
    const tensors = familyRecords(name);
    for (const length of [90, 40]) check(model, tensors, length);
    model.dispose();
  });
}

test.run();
