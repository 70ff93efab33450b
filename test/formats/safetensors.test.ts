/** Safetensors files: those of others, our own, sharded, and broken ones. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FormatError, ShapeError } from "../../src/errors.ts";
import { recordFiles } from "../../src/formats/file-set.ts";
import { openTensorFile } from "../../src/formats/open.ts";
import { openSafetensors, openSafetensorsIndex } from "../../src/formats/safetensors.ts";
import { readSafetensors } from "../../src/formats/safetensors-arrays.ts";
import { writeSafetensors } from "../../src/formats/safetensors-write.ts";
import { type ByteSource, bytesSource } from "../../src/formats/source.ts";
import { streamSource } from "../../src/formats/stream-source.ts";
import { choppedStream, formatFault, makeSafetensors, readTensors, unmeasured } from "../support/files.ts";
import { seededRandom } from "../support/random.ts";

const fixture = () => readFileSync("test/fixtures/quant/Q4_0.safetensors");

test("arrays of a file that the reference library wrote", () => {
  const file = readSafetensors(fixture());
  assert.equal([...file.names].sort(), ["data", "source_data", "source_values", "values"]);
  assert.equal(file.shape("values"), [8, 512]);
  assert.is(file.dtype("data"), "U8");
  assert.is(file.f32("values").length, 4096);
  assert.is(file.u8("data").length, 8 * 288);
  assert.throws(
    () => file.i32("values"),
    (error: unknown) => error instanceof FormatError && /F32, not I32/.test(error.message),
  );
  assert.throws(
    () => file.shape("toString"),
    (error: unknown) => error instanceof FormatError,
  );
});

test("what is written is read back, aligned, from any address", () => {
  const f32 = Float32Array.of(1.5, -0, Number.POSITIVE_INFINITY, 1e-45);
  const bytes = writeSafetensors(
    {
      small: { dtype: "I8", shape: [3], data: Int8Array.of(-1, 2, -128) },
      __proto__x: { dtype: "F32", shape: [2, 2], data: f32 },
      wide: { dtype: "I64", shape: [1], data: BigInt64Array.of(-5n) },
      empty: { dtype: "U8", shape: [0, 4], data: new Uint8Array(0) },
      scalar: { dtype: "I32", shape: [], data: Int32Array.of(-7) },
    },
    { model: "nano", quote: '"é' },
  );
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + bytes[0]! + 256 * bytes[1]!)));
  assert.is((8 + bytes[0]! + 256 * bytes[1]!) % 8, 0);
  assert.equal(header.wide.data_offsets, [0, 8]);
  assert.is(header.__proto__x.data_offsets[0] % 4, 0);
  const shifted = new Uint8Array(bytes.length + 3);
  shifted.set(bytes, 3);
  const file = readSafetensors(shifted.subarray(3));
  assert.equal(file.f32("__proto__x"), f32);
  assert.equal(file.i8("small"), Int8Array.of(-1, 2, -128));
  assert.equal(file.i32("scalar"), Int32Array.of(-7));
  assert.equal(file.shape("scalar"), []);
  assert.is(file.u8("empty").length, 0);
  assert.equal(
    [...file.metadata],
    [
      ["model", "nano"],
      ["quote", '"é'],
    ],
  );
  file.i8("small")[0] = 9;
  assert.is(file.i8("small")[0], -1);
});

test("data that does not fill its shape is not written", () => {
  assert.throws(
    () => writeSafetensors({ a: { dtype: "F32", shape: [3], data: new Float32Array(2) } }),
    (error: unknown) => error instanceof ShapeError,
  );
});

const weights = {
  b: { dtype: "BF16", shape: [2, 3], data_offsets: [8, 20] },
  ids: { dtype: "I64", shape: [1], data_offsets: [0, 8] },
  a: { dtype: "F32", shape: [1], data_offsets: [20, 24] },
};

test("tensors in the order of their bytes, of whatever types", async () => {
  const bytes = makeSafetensors({ __metadata__: { format: "pt" }, ...weights }, 24);
  const file = await openTensorFile(bytesSource("model", bytes));
  const start = bytes.length - 24;
  assert.equal(
    file.tensors.map(({ source: _, ...tensor }) => tensor),
    [
      { name: "ids", type: "I64", shape: [1], byteOffset: start, byteLength: 8 },
      { name: "b", type: "BF16", shape: [2, 3], byteOffset: start + 8, byteLength: 12 },
      { name: "a", type: "F32", shape: [1], byteOffset: start + 20, byteLength: 4 },
    ],
  );
  assert.is(file.metadata.get("format"), "pt");
  const expected = await readTensors(file);
  const random = seededRandom(5);
  for (const meanLength of [1, 5, 1000]) {
    const stream = streamSource("model", choppedStream(bytes, meanLength, random));
    assert.equal(await readTensors(await openTensorFile(stream)), expected);
  }
});

const one = (entry: object, dataBytes = 8) => makeSafetensors({ t: entry }, dataBytes);
const f32 = { dtype: "F32", shape: [2], data_offsets: [0, 8] };
const faults: [string, Uint8Array, RegExp, number?][] = [
  ["nothing", new Uint8Array(0), /ends early/, 0],
  ["half a length", new Uint8Array(5), /ends early/, 5],
  ["a header of 2^63 bytes", Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 128), /not a safetensors file/, 0],
  ["a header beyond the end", Uint8Array.of(9, 0, 0, 0, 0, 0, 0, 0, 123, 125), /header alone/, 10],
  ["no JSON", makeSafetensors("{nonsense}", 0), /not JSON/, 8],
  [
    "broken UTF-8",
    makeSafetensors('{"__metadata__":{"a":"~"}}', 0).map((byte) => (byte === 0x7e ? 0xff : byte)),
    /not JSON/,
    8,
  ],
  ["an array", makeSafetensors("[]", 0), /begin with a JSON object/, 8],
  ["a space before the object", makeSafetensors(" {}", 0), /begin with a JSON object/, 8],
  ["metadata that is no text", makeSafetensors({ __metadata__: { a: 1 } }, 0), /metadata/, 8],
  ["null metadata", makeSafetensors({ __metadata__: null }, 0), /metadata/, 8],
  ["a tensor of null", makeSafetensors({ t: null }, 0), /tensor t does not say/, 8],
  ["no offsets", one({ dtype: "F32", shape: [2] }), /tensor t does not say/, 8],
  ["offsets below zero", one({ ...f32, data_offsets: [-8, 0] }), /tensor t does not say/, 8],
  ["three offsets", one({ ...f32, data_offsets: [0, 4, 8] }), /tensor t does not say/, 8],
  ["an unknown type", one({ ...f32, dtype: "F31" }), /unknown type "F31"/],
  ["a type of the prototype", one({ ...f32, dtype: "constructor" }), /unknown type/],
  ["half an entry", one({ ...f32, shape: [1.5] }), /impossible shape \[1.5\]/],
  ["an entry below zero", one({ ...f32, shape: [-2] }), /impossible shape/],
  ["2^60 entries", one({ ...f32, shape: [2 ** 30, 2 ** 30] }), /impossible shape/],
  ["a shape of text", one({ ...f32, shape: "2" }), /impossible shape/],
  ["more bytes than the shape", one({ ...f32, data_offsets: [0, 12] }, 12), /should take 8 bytes, but has 12/],
  ["an overlap", makeSafetensors({ t: f32, u: { ...f32, data_offsets: [4, 12] } }, 12), /tensor u overlaps/],
  ["a hole", makeSafetensors({ t: f32, u: { ...f32, data_offsets: [12, 20] } }, 20), /bytes of no tensor before u/],
  ["a hole at the start", one({ ...f32, data_offsets: [4, 12] }, 12), /bytes of no tensor before t/],
  ["a file too short", one(f32, 7), /ends early/],
  ["a file too long", one(f32, 9), /bytes of no tensor at its end/],
  [
    "a name twice",
    makeSafetensors(`{"t":${JSON.stringify(f32)},"\\u0074":${JSON.stringify(f32)}}`, 8),
    /names t twice/,
    8,
  ],
  [
    "a shape twice",
    makeSafetensors('{"t":{"shape":[1],"dtype":"F32","shape":[2],"data_offsets":[0,8]}}', 8),
    /shape twice/,
    8,
  ],
];

for (const [name, bytes, message, byte] of faults) {
  test(name, async () => {
    let closed = 0;
    const source = { ...bytesSource("bad", bytes), close: async () => void closed++ };
    const fault = await formatFault(() => openSafetensors(source));
    assert.is(fault.file, "bad");
    assert.match(fault.message, message);
    assert.type(fault.byteOffset, "number");
    if (byte !== undefined) assert.is(fault.byteOffset, byte);
    assert.is(closed, 1);
    assert.match((await formatFault(() => readSafetensors(bytes))).message, message);
  });
}

test("a header that a stream only claims costs nothing", async () => {
  const source = unmeasured("bad", Uint8Array.of(0, 224, 245, 5, 0, 0, 0, 0, 123));
  let most = 0;
  const watched: ByteSource = {
    ...source,
    async readInto(offset, target) {
      most = Math.max(most, target.length);
      await source.readInto(offset, target);
    },
  };
  assert.is((await formatFault(() => openSafetensors(watched))).byteOffset, 9);
  assert.ok(most <= 65_536, `${most} bytes asked for`);
});

test("a tensor without entries may lie anywhere", () => {
  const file = readSafetensors(makeSafetensors({ t: f32, none: { ...f32, shape: [0], data_offsets: [0, 0] } }, 8));
  assert.equal(file.names, ["none", "t"]);
});

test("megabytes of escapes in one string", () => {
  const note = '\\"{'.repeat(5e6);
  assert.is(
    readSafetensors(makeSafetensors(`{"__metadata__":{"note":"${note}"}}`, 0)).metadata.get("note")!.length,
    1e7,
  );
});

test("a name __proto__ is a name like others", async () => {
  const bytes = makeSafetensors(`{"__proto__":${JSON.stringify(f32)}}`, 8);
  assert.equal(readSafetensors(bytes).shape("__proto__"), [2]);
});

test("random damage ends in a FormatError or a sound file", async () => {
  const whole = makeSafetensors({ __metadata__: { format: "pt" }, ...weights }, 24);
  const random = seededRandom(13);
  let refused = 0;
  for (let round = 0; round < 600; round++) {
    const bytes = whole.slice(0, random() < 0.1 ? Math.floor(random() * whole.length) : undefined);
    for (let count = Math.ceil(random() * 2); count > 0; count--) {
      bytes[Math.floor(random() * (whole.length - 24))] = 32 + Math.floor(random() * 96);
    }
    try {
      await readTensors(await openSafetensors((random() < 0.5 ? bytesSource : unmeasured)("damaged", bytes)));
    } catch (error) {
      assert.instance(error, FormatError, String((error as Error).stack));
      refused++;
    }
  }
  assert.ok(refused > 300 && refused < 600, `${refused} refused`);
});

const shard = (...names: string[]) =>
  makeSafetensors(
    Object.fromEntries(names.map((name, index) => [name, { ...f32, data_offsets: [8 * index, 8 * index + 8] }])),
    8 * names.length,
  );
const index = (weightMap: unknown) => new TextEncoder().encode(JSON.stringify({ weight_map: weightMap }));
const indexName = "model.safetensors.index.json";

test("shards are one model", async () => {
  const files = {
    [indexName]: index({ c: "2.bin", a: "1.bin", b: "1.bin" }),
    "1.bin": shard("b", "a"),
    "2.bin": shard("c"),
  };
  const model = await openSafetensorsIndex(recordFiles(files));
  assert.equal(
    model.tensors.map(({ name, source }) => `${name} ${source.name}`),
    ["b 1.bin", "a 1.bin", "c 2.bin"],
  );
  assert.is((await readTensors(model)).size, 3);
});

test("a single file needs no index", async () => {
  const model = await openSafetensorsIndex(recordFiles({ "model.safetensors": shard("a") }));
  assert.equal(
    model.tensors.map(({ name }) => name),
    ["a"],
  );
});

const indexFaults: [string, Record<string, Uint8Array>, RegExp][] = [
  ["no file at all", {}, /model\.safetensors: is missing/],
  ["a shard that is missing", { [indexName]: index({ a: "1.bin" }) }, /1\.bin: is missing/],
  [
    "a tensor that is not in its shard",
    { [indexName]: index({ a: "1.bin", z: "1.bin" }), "1.bin": shard("a") },
    /lacks the tensor z/,
  ],
  [
    "a tensor in two shards",
    { [indexName]: index({ a: "1.bin", b: "2.bin" }), "1.bin": shard("a"), "2.bin": shard("b", "a") },
    /2\.bin: has a tensor a, and so has 1\.bin/,
  ],
  ["a shard outside the folder", { [indexName]: index({ a: "../secret" }) }, /weight_map/],
  ["no weight_map", { [indexName]: new TextEncoder().encode("{}") }, /weight_map/],
  ["no JSON", { [indexName]: new TextEncoder().encode("{") }, /is not JSON/],
  ["a shard of null", { [indexName]: index({ a: null }) }, /puts a into null, which is no file/],
  ["a shard of objects", { [indexName]: index({ a: { toString: 1 } }) }, /puts a into \{toString: 1\}/],
  ["half a character", { [indexName]: index({ a: "\ud800" }) }, /is no file in its folder/],
  ["a weight_map of lists", { [indexName]: index(["1.bin"]) }, /should have a weight_map, an object/],
];

for (const [name, files, message] of indexFaults) {
  test(`index: ${name}`, async () => {
    assert.match((await formatFault(() => openSafetensorsIndex(recordFiles(files)))).message, message);
  });
}

test.run();
