/** Drawing tokens and stopping: shares counted over many draws, seeds, limits, and stop strings cut anywhere. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError } from "../../src/errors.ts";
import { likeliest, Sampler, type SamplingOptions } from "../../src/session/sampling.ts";
import { StopFilter } from "../../src/session/stopping.ts";
import { integers, normals } from "../support/random.ts";
import { sampling } from "../support/sampling.ts";

const test = suite("sampling and stopping");
const logits = Float32Array.of(1, 3, -1, 2, 0.5, -4);
const DRAWS = 40000;

/** Shares of the tokens over many draws. */
function shares(options: SamplingOptions): number[] {
  const sampler = new Sampler(sampling({ seed: 7, ...options }));
  const counts = new Array<number>(logits.length).fill(0);
  for (let draw = 0; draw < DRAWS; draw++) counts[sampler.next(logits)]!++;
  return counts.map((count) => count / DRAWS);
}

/** Softmax over the tokens that may be drawn. */
function expected(temperature: number, allowed: readonly number[]): number[] {
  const weights = Array.from(logits, (logit, token) => (allowed.includes(token) ? Math.exp(logit / temperature) : 0));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}

// With softmax(logits) = 0.084, 0.623, 0.011, 0.229, 0.051, 0.0006:
const cases: [string, SamplingOptions, number, number[]][] = [
  ["temperature 1", { temperature: 1 }, 1, [0, 1, 2, 3, 4, 5]],
  ["temperature 2.5", { temperature: 2.5 }, 2.5, [0, 1, 2, 3, 4, 5]],
  ["topK 2", { temperature: 1, topK: 2 }, 1, [1, 3]],
  ["topP 0.9", { temperature: 1, topP: 0.9 }, 1, [0, 1, 3]],
  ["minP 0.1", { temperature: 1, minP: 0.1 }, 1, [0, 1, 3]],
];
for (const [name, options, temperature, allowed] of cases) {
  test(`shares: ${name}`, () => {
    const actual = shares(options);
    for (const [token, share] of expected(temperature, allowed).entries()) {
      // Four standard deviations of a binomial share; what may not be drawn never is.
      const allowance = 4 * Math.sqrt((share * (1 - share)) / DRAWS);
      assert.ok(Math.abs(actual[token]! - share) <= allowance, `token ${token}: ${actual[token]} instead of ${share}`);
    }
  });
}

test("the same seed draws the same, another seed otherwise", () => {
  const draws = (seed: number) => {
    const sampler = new Sampler(sampling({ temperature: 1, seed }));
    return Array.from({ length: 50 }, () => sampler.next(logits));
  };
  assert.equal(draws(3), draws(3));
  assert.not.equal(draws(3), draws(4));
  // Recorded once: every runtime draws these.
  assert.is(draws(3).join(""), "30103111111021331111131031331211300131131101131111");
});

test("the likeliest token, the lowest on ties; topK 1 is the same", () => {
  const draw = normals(11);
  const greedy = (values: Float32Array) => new Sampler(sampling({})).next(values);
  const single = (values: Float32Array) => new Sampler(sampling({ temperature: 5, topK: 1 })).next(values);
  for (let round = 0; round < 50; round++) {
    const values = draw(300);
    const best = values.indexOf(Math.max(...values));
    assert.is(likeliest(values), best);
    assert.is(greedy(values), best);
    assert.is(single(values), best);
  }
  assert.is(greedy(Float32Array.of(1, 2, 2)), 1);
  assert.is(single(Float32Array.of(1, 2, 2)), 1);
});

test("options outside their range", () => {
  const wrong: SamplingOptions[] = [
    { temperature: -1 },
    { temperature: Number.NaN },
    { temperature: Number.POSITIVE_INFINITY },
    { topK: 0 },
    { topP: 0 },
    { topP: 1.5 },
    { minP: -0.1 },
    { minP: 2 },
    { typicalP: 0 },
    { typicalP: 1.1 },
    { repetitionPenalty: 0 },
    { presencePenalty: Number.NaN },
    { frequencyPenalty: Number.POSITIVE_INFINITY },
    { seed: 0.5 },
  ];
  for (const options of wrong) {
    const [name] = Object.keys(options) as [string];
    assert.throws(
      () => sampling(options),
      (error: unknown) => error instanceof ArgumentError && error.message.startsWith(`${name} cannot be`),
    );
  }
});

test("text up to the first stop string, however it is cut", () => {
  const random = integers(5);
  const stops = ["\n\n", "END", "ENDING", "abab"];
  for (let round = 0; round < 500; round++) {
    const text = Array.from({ length: 60 }, () => ["a", "b", "\n", "E", "N", "D", "x"][random(7)]).join("");
    const ends = stops.map((stop) => text.indexOf(stop)).filter((at) => at >= 0);
    const filter = new StopFilter(stops);
    let shown = "";
    for (let at = 0; at < text.length && filter.stop === undefined; ) {
      const length = 1 + random(4);
      shown += filter.push(text.slice(at, at + length));
      at += length;
      if (filter.stop === undefined) assert.ok(stops.every((stop) => !shown.includes(stop)));
    }
    assert.is(filter.stop !== undefined, ends.length > 0);
    assert.is(shown + filter.flush(), ends.length > 0 ? text.slice(0, Math.min(...ends)) : text);
  }
});

test("text is held back only while it may start a stop string", () => {
  const filter = new StopFilter(["stop"]);
  assert.is(filter.push("go st"), "go ");
  assert.is(filter.push("ay"), "stay");
  assert.is(filter.push(" sto"), " ");
  assert.is(filter.flush(), "sto");
});

test.run();
