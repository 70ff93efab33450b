/** Nano's logits in float32 against the same pass in float64: by products of many rows, and token by token. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readSafetensors } from "../../src/formats/safetensors-arrays.ts";
import { loadModel, type Model } from "../../src/runtimes/node.ts";
import { assertNear } from "../support/assertions.ts";
import { doublePrecisionLogits } from "./double-precision.ts";

const test = suite("precision");

/** Root mean square over texts and vocabulary: PyTorch's float32 errs by 1.2e-6 to 3.7e-6 on the recorded texts. */
const TOLERANCE = 4e-6;
/** The worst of half a million logits: ten times that. */
const LARGEST = 4e-5;

const tokens = readSafetensors(readFileSync("test/fixtures/forward/nano.safetensors")).i32("n64.tokens");
let expected: Float64Array[];
let model: Model;

test.before(async () => {
  expected = doublePrecisionLogits("models/nano", tokens);
  model = await loadModel("models/nano", { weights: "f32" });
});
test.after(() => model.dispose());

test("prefill", () => {
  const lengths = [1, 2, 3, 5, 7, 16, 33, 50, 63, 64];
  const logits = lengths.map((length) => {
    const session = model.createSession();
    const last = session.prefill(tokens.subarray(0, length));
    session.dispose();
    return last;
  });
  assertPrecise(
    logits,
    lengths.map((length) => expected[length - 1]!),
  );
});

test("decode", () => {
  const session = model.createSession();
  const logits = Array.from(tokens, (token) => session.decode(token));
  assertPrecise(logits, expected);
  session.dispose();
});

test("decode behind a prefill", () => {
  const session = model.createSession();
  session.prefill(tokens.subarray(0, 32));
  const logits = Array.from(tokens.subarray(32), (token) => session.decode(token));
  assertPrecise(logits, expected.slice(32));
  session.dispose();
});

function assertPrecise(logits: readonly Float32Array[], references: readonly Float64Array[]): void {
  let squares = 0;
  for (const [index, row] of logits.entries()) {
    const reference = references[index]!;
    assertNear(row, reference, () => LARGEST, `${index}`);
    squares += row.reduce((sum, value, i) => sum + (value - reference[i]!) ** 2, 0) / row.length;
  }
  const error = Math.sqrt(squares / logits.length);
  assert.ok(error <= TOLERANCE, `off by ${error}`);
}

test.run();
