/** Every type of weights on its way into the core: 4-bit blocks and floats exact, the others within half a step of 8 bits. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { readSafetensors } from "../../src/formats/safetensors-arrays.ts";
import { bytesSource } from "../../src/formats/source.ts";
import { type TensorType, typeTraits } from "../../src/formats/tensor-types.ts";
import { packTensors } from "../../src/model/pack-tensors.ts";
import { freeTensors, type Matrix, type WeightForm } from "../../src/model/weights.ts";
import { makeCore } from "../support/core.ts";

const core = makeCore();
const { kernels } = core;
/** Blocks that the 4-bit form takes as they are. */
const FOUR_BITS: readonly TensorType[] = ["Q4_0", "Q4_1", "Q4_K"];
const EIGHT_BITS: readonly TensorType[] = ["Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q5_K", "Q6_K", "IQ4_NL", "IQ4_XS"];
const FLOATS: readonly TensorType[] = ["F16", "BF16"];
/** Rows of a fixture whose numbers are those of a weight: 2 to 5 are subnormal, zero, huge and all bits set. */
const ORDINARY_ROWS = [0, 1, 6, 7];

/** Packs a fixture's rows as one matrix. @returns its rows as the core reads them, and as gguf-py does */
async function packed(type: TensorType, form: WeightForm) {
  const file = readSafetensors(readFileSync(`test/fixtures/quant/${type}.safetensors`));
  const [rows, depth] = file.shape("values") as [number, number];
  const bytes = file.u8("data");
  const entry = { name: type, type, shape: [rows, depth], byteOffset: 0, byteLength: bytes.length };
  const job = { name: type, entry: { ...entry, source: bytesSource(type, bytes) }, interleavedHeadSize: 0 };
  const before = core.bytesInUse;
  const tensors = await packTensors(core, [job], { formOf: () => form, onBytes() {}, signal: undefined });
  const matrix = tensors.matrices.get(type)!;
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
  assert.equal([...FOUR_BITS, ...EIGHT_BITS, ...FLOATS, "F32"].sort(), Object.keys(typeTraits).sort());
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

test.run();
