/** Every type of weights on its way into the core: 4-bit blocks and floats exact, the others within half a step of 8 bits. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { type Axis, packedSizeOf, sizeOf } from "../../src/core/axis.ts";
import { readSafetensors } from "../../src/formats/safetensors-arrays.ts";
import { bytesSource } from "../../src/formats/source.ts";
import { type TensorType, typeTraits } from "../../src/formats/tensor-types.ts";
import { type PackJob, packTensors } from "../../src/model/pack-tensors.ts";
import { freeTensors, type Matrix, type Vector, type WeightForm } from "../../src/model/weights.ts";
import { makeCore } from "../support/core.ts";
import { seededRandom } from "../support/random.ts";

const core = makeCore();
const { kernels } = core;
/** Blocks that the 4-bit form takes as they are. */
const FOUR_BITS: readonly TensorType[] = ["Q4_0", "Q4_1", "Q4_K"];
const EIGHT_BITS: readonly TensorType[] = [
  ...(["Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"] as const),
  ...([
    "IQ1_S",
    "IQ1_M",
    "IQ2_XXS",
    "IQ2_XS",
    "IQ2_S",
    "IQ3_XXS",
    "IQ3_S",
    "TQ1_0",
    "TQ2_0",
    "MXFP4",
    "NVFP4",
  ] as const),
];
const FLOATS: readonly TensorType[] = ["F16", "BF16"];
/** Rows of a fixture whose numbers are those of a weight: 2 to 5 are subnormal, zero, huge and all bits set. */
const ORDINARY_ROWS = [0, 1, 6, 7];

const plain = (length: number): Axis => ({ runs: 1, length, packedLength: length });

function jobOf(type: TensorType, bytes: Uint8Array, rows: Axis, columns?: Axis): PackJob {
  const shape = columns ? [sizeOf(rows), sizeOf(columns)] : [sizeOf(rows)];
  const entry = { name: type, type, shape, byteOffset: 0, byteLength: bytes.length, source: bytesSource(type, bytes) };
  return { place: { layer: 0, role: "query" }, entry, rows, columns, interleaved: false, offset: 0, factor: 1 };
}

/** Packs a fixture's rows as one matrix. @returns its rows as the core reads them, and as gguf-py does */
async function packed(type: TensorType, form: WeightForm) {
  const file = readSafetensors(readFileSync(`test/fixtures/quant/${type}.safetensors`));
  const [rows, depth] = file.shape("values") as [number, number];
  const bytes = file.u8("data");
  const before = core.bytesInUse;
  const job = jobOf(type, bytes, plain(rows), plain(depth));
  const tensors = await packTensors(core, [job], { formOf: () => form, onBytes() {}, signal: undefined });
  const matrix = tensors[0]!.held as Matrix;
  const actual = Array.from({ length: rows }, (_, row) => readRow(matrix, row));
  freeTensors(core, tensors);
  assert.is(core.bytesInUse, before);
  assert.is(matrix.form, form);
  const values = file.f32("values");
  return { actual, expected: actual.map((_, row) => values.slice(row * depth, (row + 1) * depth)) };
}

function readRow({ form, pointer, depth, wide }: Matrix, row: number): Float32Array {
  const target = core.allocate(depth * 4);
  if (form === "q4") kernels.embedQ4(pointer, row, depth, target, Number(wide));
  else if (form === "q8") kernels.embedQ8(pointer, row, depth, target);
  else kernels.embedF32(pointer, row, depth, target);
  const values = core.f32(target, depth).slice();
  core.free(target);
  return values;
}

test("there is no other type", () => {
  assert.equal([...FOUR_BITS, ...EIGHT_BITS, ...FLOATS, "F32", "F64"].sort(), Object.keys(typeTraits).sort());
});

for (const type of FOUR_BITS) {
  test(`${type} in 4 bits: the same numbers`, async () => {
    const { actual, expected } = await packed(type, "q4");
    for (const row of ORDINARY_ROWS) assert.equal(actual[row], expected[row], `row ${row}`);
  });
}

for (const type of FLOATS) {
  test(`${type} in f32: the same numbers`, async () => {
    const { actual, expected } = await packed(type, "f32");
    assert.equal(actual, expected);
  });
}

for (const type of EIGHT_BITS) {
  test(`${type} in 8 bits: within half a step of its block`, async () => {
    const { actual, expected } = await packed(type, "q8");
    for (const row of ORDINARY_ROWS) {
      for (let start = 0; start < expected[row]!.length; start += 32) {
        const block = expected[row]!.subarray(start, start + 32);
        // Q8_0 is taken as it is; the last digit is the rounding of the scale and of the product.
        const step = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
        const tolerance = type === "Q8_0" ? 0 : 0.5001 * step;
        for (const [index, value] of block.entries()) {
          const off = Math.abs(actual[row]![start + index]! - value);
          assert.ok(off <= tolerance, `row ${row}, ${start + index}: ${actual[row]![start + index]} for ${value}`);
        }
      }
    }
  });
}

/** Heads of 6 in 4-bit, 8-bit and f32 blocks: where row `row` of 18 stands when both halves of each head alternate. */
const inTurn = (row: number) => row - (row % 6) + ((row % 6) % 3) * 2 + Math.floor((row % 6) / 3);

for (const [type, form] of [
  ["Q4_0", "q4"],
  ["Q8_0", "q8"],
  ["Q4_0", "q8"],
  ["F32", "f32"],
  ["F32", "q8"],
  ["F32", "q4"],
] as const) {
  for (const interleaved of [false, true]) {
    test(`${type} in ${form}: rows of ${interleaved ? "interleaved " : ""}heads stand in their places among zeros`, async () => {
      const [rowCount, depth] = [18, 64];
      const bytes =
        type === "F32"
          ? new Uint8Array(Float32Array.from(random(rowCount * depth)).buffer)
          : blocks(type, rowCount * 2);
      const held = async (job: PackJob) => {
        const tensors = await packTensors(core, [job], { formOf: () => form, onBytes() {}, signal: undefined });
        const matrix = tensors[0]!.held as Matrix;
        const rows = Array.from({ length: matrix.rows }, (_, row) => readRow(matrix, row));
        freeTensors(core, tensors);
        return rows;
      };
      const heads = { runs: 6, length: 3, packedLength: 16 };
      const expected = await held(jobOf(type, bytes, plain(rowCount), plain(depth)));
      const actual = await held({ ...jobOf(type, bytes, heads, plain(depth)), interleaved });
      assert.is(actual.length, packedSizeOf(heads));
      for (const [place, row] of actual.entries()) {
        const index = Math.floor(place / 16) * 3 + (place % 16);
        const own = place % 16 < 3 ? expected[interleaved ? inTurn(index) : index]! : new Float32Array(depth);
        assert.equal(row.map(Math.abs), own.map(Math.abs), `place ${place}`);
        if (place % 16 < 3) assert.equal(row, own);
      }
    });
  }
}

test("columns are spread among zeros, whatever the type", async () => {
  for (const type of ["F32", "Q4_0"] as const) {
    const columns = { runs: 4, length: 8, packedLength: 16 };
    const [rowCount, depth] = [9, 32];
    const bytes =
      type === "F32" ? new Uint8Array(Float32Array.from(random(rowCount * depth)).buffer) : blocks(type, rowCount);
    const values = new Map<string, Float32Array[]>();
    for (const [name, axis] of Object.entries({ plain: plain(depth), spread: columns })) {
      const job = jobOf(type, bytes, plain(rowCount), axis);
      const tensors = await packTensors(core, [job], { formOf: () => "f32", onBytes() {}, signal: undefined });
      values.set(
        name,
        Array.from({ length: rowCount }, (_, row) => readRow(tensors[0]!.held as Matrix, row)),
      );
      freeTensors(core, tensors);
    }
    for (const [row, spread] of values.get("spread")!.entries()) {
      const own = values.get("plain")![row]!;
      const expected = spread.map((_, at) => (at % 16 < 8 ? own[Math.floor(at / 16) * 8 + (at % 16)]! : 0));
      assert.equal(spread, expected);
    }
  }
});

test("F64 in f32: rounded once", async () => {
  const values = Float64Array.from(random(3 * 32), (value, index) => (index ? value : Math.PI));
  const job = jobOf("F64", new Uint8Array(values.buffer), plain(3), plain(32));
  const tensors = await packTensors(core, [job], { formOf: () => "f32", onBytes() {}, signal: undefined });
  for (let row = 0; row < 3; row++) {
    const expected = Float32Array.from(values.subarray(row * 32, (row + 1) * 32));
    assert.equal(readRow(tensors[0]!.held as Matrix, row), expected);
  }
  freeTensors(core, tensors);
});

test("a vector: interleaved, padded, scaled", async () => {
  const bytes = new Uint8Array(Float32Array.from({ length: 12 }, (_, index) => index + 1).buffer);
  const job = { ...jobOf("F32", bytes, { runs: 4, length: 3, packedLength: 4 }), interleaved: true, factor: 0.5 };
  const tensors = await packTensors(core, [job], { formOf: () => "f32", onBytes() {}, signal: undefined });
  const { pointer, length } = tensors[0]!.held as Vector;
  const expected = [1, 3, 5, 0, 2, 4, 6, 0, 7, 9, 11, 0, 8, 10, 12, 0].map((value) => value / 2);
  assert.equal([...core.f32(pointer, length)], expected);
  freeTensors(core, tensors);
});

/** Seeded numbers around 0. */
function random(count: number): number[] {
  const next = seededRandom(count);
  return Array.from({ length: count }, () => next() - 0.5);
}

/** Blocks of random quants with scales of ordinary size. */
function blocks(type: "Q4_0" | "Q8_0", count: number): Uint8Array {
  const { blockBytes } = typeTraits[type];
  const next = seededRandom(count);
  return Uint8Array.from({ length: count * blockBytes }, (_, at) =>
    at % blockBytes === 1 ? 0x20 + Math.floor(next() * 8) : Math.floor(next() * 256),
  );
}

test.run();
