/** The core's dequantisation against gguf-py's, bit for bit. */
import { readdirSync, readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { dequantiseRare } from "../../src/formats/rare-types.ts";
import { readSafetensors } from "../../src/formats/safetensors-arrays.ts";
import { isRareType, type TensorType, typeTraits } from "../../src/formats/tensor-types.ts";

const memory = new WebAssembly.Memory({ initial: 16 });
const core = new WebAssembly.Instance(new WebAssembly.Module(readFileSync("dist/core.wasm")), {
  env: { memory, abort() {} },
}).exports as unknown as {
  dequantise(type: number, source: number, target: number, count: number): void;
  heapBase(): number;
};
const sentinel = 0xdeadbeef;

/** Bits of the values; checks that nothing is written beyond them. */
function dequantise(type: TensorType, blocks: Uint8Array, count: number): Uint32Array {
  // An odd address: a block's is whatever the file makes it.
  const source = core.heapBase() + 1;
  const target = (source + blocks.length + 7) & ~3;
  new Uint8Array(memory.buffer).set(blocks, source);
  const words = new Uint32Array(memory.buffer, target, count + 1);
  words.fill(sentinel);
  if (isRareType(type)) {
    const { blockBytes } = typeTraits[type];
    dequantiseRare(type, blocks, blockBytes, new Float32Array(memory.buffer, target, count));
  } else core.dequantise(typeTraits[type].ggmlType, source, target, count);
  assert.is(words[count], sentinel);
  return words.slice(0, count);
}

const folder = "test/fixtures/quant";

for (const type of Object.keys(typeTraits) as TensorType[]) {
  if (type === "F32" || type === "F64") continue;
  const file = readSafetensors(readFileSync(`${folder}/${type}.safetensors`));
  for (const kind of file.has("source_data") ? (["", "source_"] as const) : ([""] as const)) {
    test(`${type} ${kind}values`, () => {
      const [rows, rowBytes] = file.shape(`${kind}data`) as [number, number];
      const blocks = file.u8(`${kind}data`);
      const bits = new Uint32Array(file.f32(`${kind}values`).buffer);
      const count = bits.length / rows;
      const { blockLength, blockBytes } = typeTraits[type];
      assert.is((count / blockLength) * blockBytes, rowBytes);
      for (let row = 0; row < rows; row++) {
        const expected = bits.slice(row * count, (row + 1) * count);
        assert.equal(
          dequantise(type, blocks.subarray(row * rowBytes, (row + 1) * rowBytes), count),
          expected,
          `${row}`,
        );
      }
    });
  }
}

test("F64 is rounded to the nearest f32", () => {
  const values = Float64Array.of(0, -0, 1 + 2 ** -24, 1 + 2 ** -24 + 2 ** -50, 1e300, -1e-300, Math.PI, Number.NaN);
  const bits = new Uint32Array(Float32Array.from(values).buffer);
  assert.equal(dequantise("F64", new Uint8Array(values.buffer), values.length), bits);
});

test("F32 is copied as it is, NaN payloads included", () => {
  const bits = new Uint32Array([0, 0x80000000, 1, 0x7f800001, 0xffc12345, 0x3f800000]);
  assert.equal(dequantise("F32", new Uint8Array(bits.buffer), bits.length), bits);
});

test("every half there is, in lengths that do not fill a vector", () => {
  const expected = (half: number) => {
    const magnitude = half & 0x7fff;
    const exponent = magnitude >> 10;
    if (exponent === 31) return ((half & 0x8000) << 16) | 0x7f800000 | ((magnitude & 0x3ff) << 13);
    const value = exponent ? 2 ** (exponent - 15) * (1 + (magnitude & 0x3ff) / 1024) : magnitude * 2 ** -24;
    return new Int32Array(new Float32Array([half & 0x8000 ? -value : value]).buffer)[0]!;
  };
  const count = 7;
  for (let first = 0; first < 0x10000; first += count) {
    const halves = Uint16Array.from({ length: count }, (_, index) => first + index);
    const bits = dequantise("F16", new Uint8Array(halves.buffer), count);
    for (let index = 0; index < count; index++) assert.is(bits[index]! | 0, expected(halves[index]!));
  }
});

for (const name of readdirSync(folder)) {
  const { metadata } = readSafetensors(readFileSync(`${folder}/${name}`));
  if (metadata.get("type")! in typeTraits) continue;
  test(`${metadata.get("type")}: a type that is not read traps`, () => {
    const count = Number(metadata.get("block"));
    assert.throws(
      () => core.dequantise(Number(metadata.get("ggml_type")), core.heapBase(), core.heapBase(), count),
      "unreachable",
    );
  });
}

test.run();
