/** Every method of sampling against transformers' own processors, recorded, or plain re-computation. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError } from "../../src/errors.ts";
import { Penalties } from "../../src/session/penalties.ts";
import { exponential, logarithm } from "../../src/session/portable-math.ts";
import { logProbabilities, Sampler, type SamplingOptions } from "../../src/session/sampling.ts";
import { shortlist } from "../../src/session/shortlist.ts";
import { integers, normals, seededRandom } from "../support/random.ts";
import { sampling } from "../support/sampling.ts";

const test = suite("methods of sampling");

interface Recorded {
  readonly logits: readonly number[][];
  readonly contexts: readonly number[][];
  readonly cases: readonly {
    readonly options: SamplingOptions;
    readonly logits: number;
    readonly context: number;
    readonly kept: readonly number[];
    readonly probabilities: readonly number[];
  }[];
}

/** Tokens that may be drawn, and their probabilities. */
function distribution(options: SamplingOptions, logits: Float32Array, context: readonly number[]): Map<number, number> {
  const settings = sampling(options, logits.length);
  const changed = logits.slice();
  new Penalties(settings.penalties, context, settings.textOf).apply(changed);
  const candidates = shortlist(changed, settings.shortlist);
  const total = candidates.reduce((sum, { weight }) => sum + weight, 0);
  return new Map(candidates.map(({ token, weight }) => [token, weight / total]));
}

const recorded: Recorded = JSON.parse(readFileSync("test/fixtures/sampling.json", "utf8"));
for (const one of recorded.cases) {
  test(`as transformers: ${JSON.stringify(one.options)}, logits ${one.logits}, context ${one.context}`, () => {
    const logits = Float32Array.from(recorded.logits[one.logits]!);
    const actual = distribution(one.options, logits, recorded.contexts[one.context]!);
    assert.equal(
      [...actual.keys()].sort((a, b) => a - b),
      [...one.kept],
    );
    for (const [index, token] of one.kept.entries()) {
      const expected = one.probabilities[index]!;
      // Theirs were rounded to 6 digits (5e-6), and their scores of up to 30 to f32.
      assert.ok(
        Math.abs(actual.get(token)! - expected) <= 7e-6 * expected,
        `token ${token}: ${actual.get(token)}, ${expected}`,
      );
    }
  });
}

test("a large vocabulary is cut where sorting all of it would cut it", () => {
  const draw = normals(5);
  for (const scale of [0.1, 1, 4]) {
    const logits = draw(5000, scale);
    for (const options of [
      { topP: 0.5 },
      { topP: 0.999 },
      { topK: 700 },
      { minP: 1e-7 },
      { typicalP: 0.4 },
      { topP: 0.9, typicalP: 0.7 },
      { topK: 50, topP: 0.9, minP: 0.01 },
    ]) {
      const weights = Array.from(logits, (logit) => Math.exp(logit));
      const order = weights.map((_, token) => token).sort((a, b) => weights[b]! - weights[a]!);
      const sum = (tokens: readonly number[]) => tokens.reduce((total, token) => total + weights[token]!, 0);
      let kept = order.slice(0, options.topK ?? order.length);
      if (options.topP) {
        const wanted = options.topP * sum(kept);
        let reached = 0;
        kept = kept.filter((token) => {
          const wants = reached < wanted;
          reached += weights[token]!;
          return wants;
        });
      }
      if (options.minP) kept = kept.filter((token) => weights[token]! >= options.minP! * weights[order[0]!]!);
      if (options.typicalP) {
        const total = sum(kept);
        const surprise = (token: number) => -Math.log(weights[token]! / total);
        const entropy = kept.reduce((e, token) => e + (weights[token]! / total) * surprise(token), 0);
        const far = (token: number) => Math.abs(surprise(token) - entropy);
        const nearest = kept.toSorted((a, b) => far(a) - far(b));
        let reached = 0;
        kept = nearest.filter((token) => {
          const wants = reached < options.typicalP! * total;
          reached += weights[token]!;
          return wants;
        });
      }
      const actual = [...distribution({ temperature: 1, ...options }, logits, []).keys()];
      assert.equal(
        actual.toSorted((a, b) => a - b),
        kept.toSorted((a, b) => a - b),
        JSON.stringify({ scale, ...options }),
      );
    }
  }
});

test("presence and frequency count the answer and not the prompt", () => {
  const { penalties, textOf } = sampling({ presencePenalty: 0.5, frequencyPenalty: 0.25 });
  const kept = new Penalties(penalties, [0, 0, 1], textOf);
  for (const token of [2, 3, 2, 2]) kept.push(token);
  const logits = new Float32Array(6);
  kept.apply(logits);
  assert.equal([...logits], [0, 0, -1.25, -0.75, 0, 0]);
});

test("DRY: what would go on with the longest repetition costs most", () => {
  const integer = integers(8);
  const letters = [..."abc:"].map((letter) => letter.charCodeAt(0));
  const [multiplier, base, allowedLength] = [0.8, 1.75, 2];
  const { penalties, textOf } = sampling({ dry: { multiplier } });
  let charged = 0;
  for (let round = 0; round < 200; round++) {
    const context = Array.from({ length: 40 }, () => letters[integer(round % 2 ? 4 : 3)]!);
    const logits = new Float32Array(128);
    new Penalties(penalties, context, textOf).apply(logits);
    for (const next of letters) {
      let longest = 0;
      for (let length = 1; length < context.length; length++) {
        const end = context.slice(-length);
        if (end.includes(":".charCodeAt(0))) break;
        for (let at = 0; at + length < context.length; at++) {
          const same = end.every((token, index) => context[at + index] === token);
          if (same && context[at + length] === next) longest = length;
        }
      }
      const penalty = longest < allowedLength ? 0 : multiplier * base ** (longest - allowedLength);
      if (penalty > 0) charged++;
      assert.ok(Math.abs(logits[next]! + penalty) <= 1e-6 * penalty, `round ${round}: ${logits[next]}, ${-penalty}`);
    }
  }
  assert.ok(charged > 100);
});

test("what is sampled counts for what follows", () => {
  const sampler = new Sampler(sampling({ repetitionPenalty: 2 }), [5]);
  const logits = Float32Array.of(1, 3, 2, 1.7, 0, 5);
  // 5 stood in the prompt: 2.5; each token that has been taken is halved.
  assert.equal([sampler.next(logits), sampler.next(logits), sampler.next(logits), sampler.next(logits)], [1, 5, 5, 5]);
  const once = new Sampler(sampling({ presencePenalty: 10 }), [1]);
  assert.equal(
    Array.from({ length: 6 }, () => once.next(logits)),
    [5, 1, 2, 3, 0, 4],
  );
});

test("biases: a token is forbidden, or made the likeliest", () => {
  const logits = Float32Array.of(1, 3, 2, 1, 0, 5);
  const next = (logitBias: SamplingOptions["logitBias"], temperature = 0) =>
    new Sampler(sampling({ logitBias, temperature })).next(logits);
  assert.is(next({ 5: Number.NEGATIVE_INFINITY }), 1);
  assert.is(next(new Map([[4, 100]])), 4);
  assert.is(next({ 4: 100 }, 1), 4);
  const none = Object.fromEntries([0, 1, 2, 3, 4, 5].map((token) => [token, Number.NEGATIVE_INFINITY]));
  for (const temperature of [0, 1]) assert.throws(() => next(none, temperature), /forbids every token/);
  for (const wrong of [{ 6: 1 }, { "-1": 1 }, { a: 1 }, { 0: Number.NaN }, { 0: Number.POSITIVE_INFINITY }, [1]]) {
    assert.throws(
      () => sampling({ logitBias: wrong as Record<number, number> }),
      (error: unknown) => error instanceof ArgumentError && /logitBias/.test(error.message),
    );
  }
});

test("settings of DRY that cannot be", () => {
  for (const wrong of [{}, { multiplier: -1 }, { multiplier: 1, base: 0.5 }, { multiplier: 1, allowedLength: 0 }]) {
    assert.throws(() => sampling({ dry: wrong as { multiplier: number } }), /dry\./);
  }
  assert.throws(() => sampling({ dry: { multiplier: 1, sequenceBreakers: [""] } }), /dry\.sequenceBreakers/);
  assert.throws(() => sampling({ dry: { multiplier: 1, breakers: [] } as { multiplier: number } }), /no option/);
});

test("probabilities are the model's own, the likeliest first", () => {
  const logits = normals(9)(700, 3);
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
  const expected = (token: number) => logits[token]! - Math.log(total);
  const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]!);
  const { token, logProbability, alternatives } = logProbabilities(logits, 33, 5);
  assert.is(token, 33);
  assert.equal(
    alternatives.map((each) => each.token),
    order.slice(0, 5),
  );
  for (const each of [{ token, logProbability }, ...alternatives]) {
    // Sums of 700 terms in double precision.
    assert.ok(Math.abs(each.logProbability - expected(each.token)) < 1e-12);
  }
  assert.equal(logProbabilities(logits, 33, 0).alternatives, []);
});

test("exponentials and logarithms are right to the last places", () => {
  const random = seededRandom(4);
  for (let round = 0; round < 20_000; round++) {
    const x = (random() - 0.5) * (round % 2 ? 1400 : 4);
    const power = Math.exp(x);
    assert.ok(Math.abs(exponential(x) - power) <= 4 * Number.EPSILON * power, `exp(${x})`);
    if (Number.isFinite(power) && power > 1e-300) {
      assert.ok(
        Math.abs(logarithm(power) - Math.log(power)) <= 4 * Number.EPSILON * Math.max(1, Math.abs(x)),
        `log(${power})`,
      );
    }
  }
  assert.equal([exponential(0), exponential(-800), exponential(800)], [1, 0, Number.POSITIVE_INFINITY]);
  assert.equal([logarithm(1), logarithm(0)], [0, Number.NEGATIVE_INFINITY]);
  // Recorded once: every runtime computes these bits.
  const bits = [-0.2, -1, -12.345, -300.25].map((x) => [exponential(x), logarithm(-x)]);
  assert.equal(bits, [
    [0.8187307530779818, -1.6094379124341003],
    [0.36787944117144233, 0],
    [0.000004351456244655325, 2.513251122797143],
    [4.009422364622857e-131, 5.704615460960093],
  ]);
});

test.run();
