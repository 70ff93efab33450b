/** GGUF files as others wrote them, and as a stream brings them. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { openGguf } from "../../src/formats/gguf.ts";
import { openTensorFile } from "../../src/formats/open.ts";
import { readSafetensors } from "../../src/formats/safetensors-arrays.ts";
import { bytesSource } from "../../src/formats/source.ts";
import { streamSource } from "../../src/formats/stream-source.ts";
import {
  array,
  choppedStream,
  formatFault,
  type GgufValue,
  makeGguf,
  readTensors,
  text,
  u32,
} from "../support/files.ts";
import { seededRandom } from "../support/random.ts";

const read = (name: string) => new Uint8Array(readFileSync(`test/fixtures/gguf/${name}`));

for (const [name, expected] of Object.entries({ K: "Q4_K", old: "Q4_0", odd: "IQ4_NL" })) {
  test(`tiny-${name}: types, shapes, metadata`, async () => {
    const { tensors, metadata } = await openGguf(bytesSource("tiny", read(`tiny-${name}.gguf`)));
    const types = JSON.parse(readFileSync(`test/fixtures/gguf/tiny-${name}.json`, "utf8")).types;
    const named = new Map(tensors.map((tensor) => [tensor.name, tensor]));
    const query = named.get("blk.0.attn_q.weight")!;
    assert.is(query.type, expected);
    assert.equal(query.shape, [256, 256]);
    assert.equal(named.get("blk.1.attn_k.weight")!.shape, [128, 256]);
    assert.is(named.get("token_embd.weight")!.type, types.embedding);
    assert.is(named.get("blk.1.ffn_down.weight")!.type, types.down);
    assert.is(metadata.get("general.architecture"), "llama");
    assert.is(metadata.get("llama.block_count"), 2);
    assert.is((metadata.get("tokenizer.ggml.tokens") as string[]).length, 265);
    assert.not(metadata.has("tensor_count"));
    for (const [index, tensor] of tensors.entries()) {
      if (index) assert.ok(tensor.byteOffset >= tensors[index - 1]!.byteOffset + tensors[index - 1]!.byteLength);
    }
  });
}

test("the bytes of a tensor are those of the weight", async () => {
  const file = await openGguf(bytesSource("tiny", read("tiny-odd.gguf")));
  const bytes = (await readTensors(file)).get("blk.0.ffn_up.weight")!;
  const row = new Float32Array(bytes.slice(0, 1024).buffer);
  const expected = readSafetensors(read("tiny-odd.safetensors"));
  assert.equal(row, expected.f32("row0.model.layers.0.mlp.up_proj.weight"));
});

test("streams chopped anywhere give the same tensors as bytes", async () => {
  const random = seededRandom(7);
  const bytes = read("tiny-K.gguf");
  const expected = await openGguf(bytesSource("tiny", bytes));
  const data = await readTensors(expected);
  for (const meanLength of [37, 1000, 65_536, bytes.length]) {
    for (const open of [openGguf, openTensorFile]) {
      const file = await open(streamSource("tiny", choppedStream(bytes, meanLength, random)));
      assert.equal(file.metadata, expected.metadata);
      assert.equal(await readTensors(file), data);
    }
  }
});

test("a stream that ends early says where", async () => {
  const bytes = read("tiny-K.gguf");
  const last = (await openGguf(bytesSource("tiny", bytes))).tensors.at(-1)!;
  for (const length of [0, 3, 20, 5000, 500_000, last.byteOffset + last.byteLength - 1]) {
    const stream = choppedStream(bytes.subarray(0, length), 3000, seededRandom(1));
    const fault = await formatFault(async () => readTensors(await openGguf(streamSource("cut.gguf", stream))));
    assert.is(fault.byteOffset, length);
    assert.match(fault.message, /^cut\.gguf: ends early/);
  }
});

test("version 2, and a greater alignment", async () => {
  const bytes = makeGguf({
    version: 2,
    keys: [["general.alignment", u32(256)]],
    tensors: [
      { name: "b", dimensions: [32, 3], type: 8, offset: 256 },
      { name: "a", dimensions: [5], type: 0, offset: 0 },
    ],
    alignment: 256,
    dataBytes: 256 + 3 * 34,
  });
  const { tensors } = await openGguf(bytesSource("made", bytes));
  assert.equal(
    tensors.map(({ source: _, ...tensor }) => tensor),
    [
      { name: "a", type: "F32", shape: [5], byteOffset: 256, byteLength: 20 },
      { name: "b", type: "Q8_0", shape: [3, 32], byteOffset: 512, byteLength: 102 },
    ],
  );
});

test("metadata of every kind", async () => {
  const value = (type: number, bytes: number[]): GgufValue => ({
    type,
    write: (writer) => writer.bytes.push(...bytes),
  });
  const keys: [string, GgufValue][] = [
    ["u8", value(0, [255])],
    ["i8", value(1, [255])],
    ["i16", value(3, [254, 255])],
    ["f32", value(6, [0, 0, 0, 63])],
    ["true", value(7, [1])],
    ["u64", value(10, [255, 255, 255, 255, 255, 255, 255, 255])],
    ["nested", array(9, [array(8, [text("a"), text("")]), array(8, [])])],
    ["version", text("not the file's")],
    ["constructor", u32(1)],
    ["marked", text("\ufeffusing")],
    ["tokens", array(9, [array(8, [text("\ufeff"), text("\ufeffx")])])],
  ];
  const { metadata } = await openGguf(bytesSource("made", makeGguf({ keys })));
  assert.equal(
    [...metadata],
    [
      ["u8", 255],
      ["i8", -1],
      ["i16", -2],
      ["f32", 0.5],
      ["true", true],
      ["u64", 2n ** 64n - 1n],
      ["nested", [["a", ""], []]],
      ["version", "not the file's"],
      ["constructor", 1],
      ["marked", "\ufeffusing"],
      ["tokens", [["\ufeff", "\ufeffx"]]],
    ],
  );
});

test("a string that lies across the parser's pieces is whole", async () => {
  // 24 bytes of header, a key, its type, the array's head; then the last string begins just before byte 2,000,000.
  const head = 24 + 8 + 6 + 4 + 12;
  const filling = "x".repeat(2_000_000 - head - 8 - 8 - 10);
  const last = "the last token of all";
  const keys: [string, GgufValue][] = [
    ["tokens", array(8, [text(filling), text(last)])],
    ["after", u32(5)],
  ];
  const { metadata } = await openGguf(bytesSource("made", makeGguf({ keys })));
  assert.is((metadata.get("tokens") as string[])[1], last);
  assert.is(metadata.get("after"), 5);
});

test.run();
