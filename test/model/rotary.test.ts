/** Inverse frequencies and rotation rows of every supported variant against transformers' RotaryEmbedding classes. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { MemoryError } from "../../src/errors.ts";
import { rotaryFromJson } from "../../src/model/config-json.ts";
import { rotaryFrequencies } from "../../src/rotary/frequencies.ts";
import { RotationRows } from "../../src/rotary/rotation-rows.ts";
import { assertNear, ROUNDING } from "../support/assertions.ts";
import { makeCore } from "../support/core.ts";

const test = suite("rotary");

interface Fixture {
  config: Record<string, unknown> & { rope_parameters: Record<string, unknown> };
  rotary_dimensions: number;
  attention_scaling: number;
  inv_freq: number[];
  at: { position: number; cos64: number[]; sin64: number[]; inv_freq?: number[] }[];
}

const { cases } = JSON.parse(readFileSync("test/fixtures/rope.json", "utf8")) as { cases: Record<string, Fixture> };
const fixtures = Object.entries(cases);

/** What the model's configuration says of its rotary embedding; Gemma 3 has two kinds under their own names. */
function rotaryOf(name: string, { config }: Fixture) {
  const kind = /^gemma3_(.*)$/.exec(name)?.[1];
  const parameters = (kind ? config.rope_parameters[kind] : config.rope_parameters) as Record<string, unknown>;
  return rotaryFromJson(parameters, (key) => config[key], name);
}

test("all kinds are there", () => {
  assert.is(fixtures.length, 33);
  const kinds = new Set(fixtures.map(([name, fixture]) => rotaryOf(name, fixture).type));
  assert.equal([...kinds].sort(), ["default", "dynamic", "linear", "llama3", "longrope", "yarn"]);
});

for (const [name, fixture] of fixtures) {
  test(`${name}: inverse frequencies and attention factor`, () => {
    const rotary = rotaryOf(name, fixture);
    const { inverseFrequencies, attentionFactor } = rotaryFrequencies(rotary, fixture.rotary_dimensions);
    // Powers, divisions and blends in f32 there and partly in f64 here: two units in the last place. Llama 3's blend
    // takes a small difference in f32 there, which the factor enlarges: six.
    const units = rotary.type === "llama3" ? 6 : 2;
    assertNear(inverseFrequencies, fixture.inv_freq, (i) => 2 * units * ROUNDING * fixture.inv_freq[i]!);
    assertNear([attentionFactor], [fixture.attention_scaling], () => 1e-12);
    // Where they depend on the length: each position is the last one of a text.
    for (const { position, inv_freq } of fixture.at) {
      const expected = inv_freq ?? fixture.inv_freq;
      const actual = rotaryFrequencies(rotary, fixture.rotary_dimensions, {}, position + 1);
      // A power of a power: the base's error, an ulp or two, comes to as many in each frequency.
      const most = rotary.type === "dynamic" ? 8 : units;
      assertNear(
        actual.inverseFrequencies,
        expected,
        (i) => 2 * most * ROUNDING * expected[i]!,
        `position ${position}`,
      );
    }
  });

  test(`${name}: cosines and sines, rounded once`, () => {
    const core = makeCore();
    for (const { position, cos64, sin64, inv_freq } of fixture.at) {
      const inverseFrequencies = Float32Array.from(inv_freq ?? fixture.inv_freq);
      const half = inverseFrequencies.length;
      const rotations = new RotationRows(core, { inverseFrequencies, attentionFactor: fixture.attention_scaling });
      assert.is(rotations.half, half);
      const { pointer, base } = rotations.around(position, 1);
      const row = core.f32(pointer + (position - base) * half * 8, 2 * half);
      // The factor is in the fixture; the core applies it to queries and keys by itself.
      const expected = [...cos64, ...sin64].map((value) => value / fixture.attention_scaling);
      assertNear(row, expected, () => 1.01 * ROUNDING, `position ${position}`);
      rotations.dispose();
    }
    assert.is(core.bytesInUse, 0);
  });
}

test("a GGUF's factors divide the default frequencies", () => {
  const [, fixture] = fixtures.find(([name]) => name === "llama3_2")!;
  const theta = fixture.config.rope_parameters.rope_theta as number;
  const plain = rotaryFrequencies({ type: "default", theta }, 64).inverseFrequencies;
  const factors = plain.map((value, i) => value / fixture.inv_freq[i]!);
  assert.ok(factors.some((factor) => factor > 30));
  const { inverseFrequencies, attentionFactor } = rotaryFrequencies({ type: "default", theta }, 64, { all: factors });
  assertNear(inverseFrequencies, fixture.inv_freq, (i) => 4 * ROUNDING * fixture.inv_freq[i]!);
  assert.is(attentionFactor, 1);
});

test("rows stay the same however they are asked for, and memory stays within what was asked", () => {
  const core = makeCore();
  const frequencies = rotaryFrequencies({ type: "default", theta: 10_000 }, 16);
  const rotations = new RotationRows(core, frequencies);
  const check = (pointer: number, base: number, first: number, count: number) => {
    for (const position of [first, first + (count >> 1), first + count - 1]) {
      const row = core.f32(pointer + (position - base) * 64, 16);
      for (let i = 0; i < 8; i++) {
        const angle = position * frequencies.inverseFrequencies[i]!;
        assert.is(row[i], Math.fround(Math.cos(angle)), `cosine at ${position}`);
        assert.is(row[8 + i], Math.fround(Math.sin(angle)), `sine at ${position}`);
      }
    }
  };
  for (const count of [1, 256, 257, 5000, 3, 9000, 9001, 12_000]) check(rotations.fromZero(count), 0, 0, count);
  assert.ok(core.bytesInUse <= 12_500 * 64, `${core.bytesInUse} bytes`);
  for (const [first, count] of [
    [0, 300],
    [8000, 192],
    [8000, 193],
    [100_000, 1],
    [100_001, 1],
    [100_000, 700],
    [99_999, 700],
    [1_000_000, 5],
    [1_000_000, 2 ** 26],
    [1_000_000, 700],
  ] as const) {
    if (count === 2 ** 26) {
      assert.throws(
        () => rotations.around(first, count),
        (error: unknown) => error instanceof MemoryError,
      );
      continue;
    }
    const { pointer, base } = rotations.around(first, count);
    check(pointer, base, first, count);
  }
  rotations.dispose();
  assert.is(core.bytesInUse, 0);
});

test("a sequence that grows token by token does not make its rows anew for each", () => {
  const core = makeCore();
  const rotations = new RotationRows(core, rotaryFrequencies({ type: "default", theta: 10_000 }, 16));
  const moves = (run: (step: number) => number) => {
    const addresses = Array.from({ length: 300 }, (_, step) => run(step));
    return addresses.filter((address, step) => step > 0 && address !== addresses[step - 1]).length;
  };
  assert.ok(moves((step) => rotations.fromZero(8190 + step)) <= 2, "kept rows");
  assert.ok(moves((step) => rotations.around(0, 9000 + step).pointer) <= 2, "contiguous, beyond what is kept");
  assert.ok(moves((step) => rotations.around(20_000 + step, 1).base) <= 2, "original positions");
  rotations.dispose();
});

test.run();
