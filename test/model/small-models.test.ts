/** Small files of several quantisations and kinds of RoPE against transformers: logits, likeliest tokens and greedy text. */
import { readFileSync, statSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readSafetensors } from "../../src/formats/safetensors-arrays.ts";
import { FormatError, loadModel, type ModelSource } from "../../src/runtimes/node.ts";
import { likeliest } from "../../src/session/sampling.ts";
import { llamaGguf } from "../../tools/llama-gguf.ts";
import { assertNear } from "../support/assertions.ts";
import { familyNames, familyRecords, familySource } from "../support/families.ts";
import { needs } from "../support/needs.ts";
import { smolLM2 } from "../support/shared.ts";

const test = suite("small models");

/** Float32 and float64 of the reference differ by up to 2.2e-5; ours by as much, and its float32 angles by 4e-5. */
const TOLERANCE = 8e-5;

interface Expected {
  readonly tokens: Int32Array;
  readonly logits: Float32Array;
  readonly greedy: Int32Array;
}

/** Logits of the last token and the greedy text behind it; all recorded gaps are far above the tolerance. */
async function check(source: ModelSource, cases: readonly Expected[]): Promise<void> {
  const model = await loadModel(source, { weights: "f32" });
  try {
    for (const { tokens, logits, greedy } of cases) {
      const session = model.createSession();
      let actual = session.prefill(tokens);
      assertNear(actual, logits, () => TOLERANCE);
      for (const [step, token] of greedy.entries()) {
        assert.is(likeliest(actual), token, `step ${step}`);
        actual = session.decode(token);
      }
      session.dispose();
    }
  } finally {
    model.dispose();
  }
}

for (const name of ["tiny-old", "tiny-K", "tiny-odd"]) {
  test(name, async () => {
    const path = `test/fixtures/gguf/${name}`;
    const tensors = readSafetensors(readFileSync(`${path}.safetensors`));
    const [tokens, greedy] = [tensors.i32("tokens"), tensors.i32("greedy")];
    assert.ok(tensors.f32("gap").every((gap) => gap > 2 * TOLERANCE));
    await check(`${path}.gguf`, [{ tokens, logits: tensors.f32("logits"), greedy }]);
  });
}

const supported = ["llama", "llama3", "yarn"];
for (const name of supported) {
  test(name, async () => {
    const tensors = familyRecords(name);
    const cases = [90, 40].map((length) => ({
      tokens: tensors.i32(`tokens${length}`),
      logits: tensors.f32(`logits${length}`),
      greedy: tensors.i32(`greedy${length}`),
    }));
    await check(familySource(name), cases);
  });
}

for (const name of familyNames.filter((name) => !supported.includes(name))) {
  test(`${name} is refused by name`, async () => {
    const error: unknown = await loadModel(familySource(name)).catch((reason) => reason);
    assert.instance(error, FormatError);
    assert.match((error as FormatError).message, new RegExp(`model_type "${name}(_text)?" is not supported`));
  });
}

for (const type of ["Q8_0", "Q4_0"] as const) {
  test(`nano in ${type}`, async () => {
    const tensors = readSafetensors(readFileSync("test/fixtures/gguf/nano.safetensors"));
    const model = await loadModel(await llamaGguf("models/nano", type), { weights: "f32" });
    const session = model.createSession();
    assertNear(session.prefill(tensors.i32("tokens")), tensors.f32(`${type}.logits`), () => TOLERANCE);
    model.dispose();
  });
}

needs(test, smolLM2, "loading takes little more memory than the file", async () => {
  const fileBytes = statSync(smolLM2).size;
  const model = await loadModel(smolLM2);
  const { peakBytes } = model.memory;
  model.dispose();
  assert.ok(peakBytes <= 1.1 * fileBytes, `${peakBytes} bytes for a file of ${fileBytes}`);
});

test.run();
