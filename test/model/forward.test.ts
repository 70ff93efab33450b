/** The forward pass in float32 against transformers: logits, greedy text and surprise of nano and of SmolLM2-135M. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readSafetensors, type SafetensorsArrays } from "../../src/formats/safetensors-arrays.ts";
import { loadModel, type Model } from "../../src/runtimes/node.ts";
import { likeliest } from "../../src/session/sampling.ts";
import { assertNear, largestMagnitude, ROUNDING } from "../support/assertions.ts";
import { needs } from "../support/needs.ts";
import { sharedPath, smolLM2 } from "../support/shared.ts";

const test = suite("forward");

/** What float32 and float64 of the reference differ by where that was not recorded, angles aside. */
const REFERENCE_ERROR = 4e-5;
/** By how much of the largest logit ours and float64 may differ: see precision.test.ts. */
const OWN_ERROR = 2e-6;
/** Log likelihoods are the difference of two numbers that err as logits do, 2e-4 behind 2,000 tokens. */
const SURPRISE_TOLERANCE = 4e-4;
/** A greedy step whose best two logits are nearer than this may fall either way. */
const SMALL_GAP = 1e-3;
/** How much of the recorded text of 2,000 tokens quantised weights read. */
const QUANTISED_TOKENS = 1000;

interface Recorded {
  readonly sequences: readonly {
    readonly length: number;
    readonly float32_against_float64?: { readonly max_abs_logit: number };
  }[];
  readonly greedy: readonly {
    readonly prompt_ids: readonly number[];
    readonly ids: readonly number[];
    readonly gap: readonly number[];
  }[];
}

const models = [
  {
    name: "nano",
    path: "models/nano",
    fixture: "test/fixtures/forward/nano",
    lengths: [1, 2, 7, 64, 257, 700, 3000],
  },
  {
    name: "SmolLM2",
    path: smolLM2,
    fixture: sharedPath("fixtures/forward/smollm2"),
    lengths: [1, 2, 7, 64, 257, 700],
  },
];

for (const { name, path, fixture, lengths } of models) {
  const files = [path, `${fixture}.json`, `${fixture}.safetensors`];
  const add = (title: string, body: () => void | Promise<void>) => needs(test, files, `${name}: ${title}`, body);
  let greedy: Recorded["greedy"];
  let sequences: Recorded["sequences"];
  let tensors: SafetensorsArrays;
  let model: Model;

  add("loads", async () => {
    ({ greedy, sequences } = JSON.parse(readFileSync(`${fixture}.json`, "utf8")) as Recorded);
    tensors = readSafetensors(readFileSync(`${fixture}.safetensors`));
    model = await loadModel(path, { weights: "f32" });
  });

  for (const length of lengths) {
    add(`logits of ${length} tokens`, () => {
      const session = model.createSession();
      const tokens = tensors.i32(`n${length}.tokens`);
      assert.is(tokens.length, length);
      const expected = tensors.f32(`n${length}.logits`);
      const recorded = sequences.find((sequence) => sequence.length === length)?.float32_against_float64;
      const reference = recorded?.max_abs_logit ?? REFERENCE_ERROR;
      // The reference forms angles in float32; ours are formed in float64.
      const angles = length * ROUNDING;
      const allowed = reference + angles + OWN_ERROR * largestMagnitude(expected);
      assertNear(session.prefill(tokens), expected, () => allowed);
      session.dispose();
    });
  }

  add("greedy text", () => {
    assert.is(greedy.length, 4);
    for (const { prompt_ids, ids, gap } of greedy) {
      assert.is(ids.length, 48);
      const session = model.createSession();
      let logits = session.prefill(prompt_ids);
      for (const [step, token] of ids.entries()) {
        // The recorded token goes on, so that one step on the edge leaves the others comparable.
        if (gap[step]! > SMALL_GAP) assert.is(likeliest(logits), token, `step ${step}`);
        logits = session.decode(token);
      }
      session.dispose();
    }
  });

  add("negative log likelihoods", () => {
    const session = model.createSession();
    const expected = tensors.f32("perplexity.nll");
    const surprise = session.negativeLogLikelihoods(tensors.i32("perplexity.tokens"));
    assert.is(surprise.length, 1999);
    assertNear(surprise, expected, () => SURPRISE_TOLERANCE);
    assertMean(surprise, mean(expected), 1e-5);
    session.dispose();
  });

  add("ends", () => model.dispose());

  // What `auto` leaves of SmolLM2 at 4 bits is at 4 bits in the file.
  for (const weights of name === "nano" ? (["q8"] as const) : (["q8", "auto"] as const)) {
    add(`weights in ${weights} surprise alike`, async () => {
      const quantised = await loadModel(path, { weights });
      const session = quantised.createSession();
      const surprise = session.negativeLogLikelihoods(tensors.i32("perplexity.tokens").subarray(0, QUANTISED_TOKENS));
      quantised.dispose();
      assertMean(surprise, mean(tensors.f32("perplexity.nll").subarray(0, QUANTISED_TOKENS - 1)), 5e-3);
    });
  }
}

function mean(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** @param tolerance relative */
function assertMean(values: Float32Array, expected: number, tolerance: number): void {
  const off = Math.abs(mean(values) - expected) / expected;
  assert.ok(off <= tolerance, `mean ${mean(values)} instead of ${expected}: off by ${off}`);
}

test.run();
