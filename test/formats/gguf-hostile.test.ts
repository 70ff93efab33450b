/** GGUF files that break a rule each, and random damage. */
import { readFileSync } from "node:fs";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import { openGguf } from "../../src/formats/gguf.ts";
import { type ByteSource, bytesSource } from "../../src/formats/source.ts";
import { array, formatFault, type GgufPlan, makeGguf, readTensors, text, u32, unmeasured } from "../support/files.ts";
import { seededRandom } from "../support/random.ts";

const tensor = (name: string, offset: number | bigint, dimensions: (number | bigint)[] = [8], type = 0) => ({
  name,
  dimensions,
  type,
  offset,
});

const split = (number: number, count: number): [string, ReturnType<typeof u32>][] => [
  ["split.no", u32(number)],
  ["split.count", u32(count)],
];

const faults: [string, GgufPlan, RegExp, number?][] = [
  ["another magic", { magic: "GGML" }, /is not a GGUF file/, 0],
  ["version 1", { version: 1 }, /version 1/, 4],
  ["version 4", { version: 4 }, /version 4/, 4],
  ["big-endian", { version: 0x03000000 }, /big-endian/, 4],
  ["tensors that are not there", { tensorCount: 3 }, /ends early/, 32],
  ["2^60 tensors", { tensorCount: 2n ** 60n }, /claims 1152921504606846976 tensors/, 8],
  ["2^60 keys", { keyCount: 2n ** 60n }, /claims 1152921504606846976 metadata keys/, 16],
  ["an endless array", { keys: [["a", array(8, [], 2 ** 40)]] }, /claims 1099511627776 array elements/, 41],
  ["an array longer than the file", { keys: [["a", array(8, [], 900_000)]] }, /ends early/],
  ["an unknown value", { keys: [["a", { type: 13, write() {} }]] }, /unknown type 13/, 33],
  ["__proto__", { keys: [["__proto__", array(4, [])]] }, /"__proto__"/, 24],
  [
    "a key twice",
    {
      keys: [
        ["a", u32(1)],
        ["a", u32(2)],
      ],
    },
    /two metadata entries called "a"/,
    41,
  ],
  ["an alignment of 33", { keys: [["general.alignment", u32(33)]] }, /aligned to 33/, 24],
  ["an alignment of 4", { keys: [["general.alignment", u32(4)]] }, /aligned to 4/, 24],
  ["an alignment of 0", { keys: [["general.alignment", u32(0)]] }, /general\.alignment/, 24],
  ["an alignment of letters", { keys: [["general.alignment", text("x")]] }, /general\.alignment/, 24],
  ["a part of a model", { keys: [["split.count", u32(3)]] }, /part \? \(of 0 to 2\); give part 0/],
  ["the first part of a model", { keys: split(0, 3) }, /one of 3 parts: give the path or URL of the first/],
  ["the second part of a model", { keys: split(1, 3) }, /part 1 \(of 0 to 2\); give part 0/],
  ["parts of letters", { keys: [["split.count", text("x")]] }, /split\.count should be a whole number and is "x"/],
  ["200,000 tensors", { tensorCount: 200_000 }, /claims 200000 tensors/, 8],
  ["deep nesting", { keys: [["a", [1, 2, 3, 4].reduce((inner) => array(9, [inner]), array(4, []))]] }, /deeper/],
  ["a nameless tensor", { tensors: [tensor("", 0)], dataBytes: 32 }, /without a name/, 24],
  ["five dimensions", { tensors: [tensor("t", 0, [1, 1, 1, 1, 1])], dataBytes: 32 }, /5 dimensions/, 33],
  ["an empty tensor", { tensors: [tensor("t", 0, [0])], dataBytes: 32 }, /nothing in it/],
  ["a dimension of 2^63", { tensors: [tensor("t", 0, [2n ** 63n])], dataBytes: 32 }, /9223372036854775808 entries/, 37],
  ["2^64 values", { tensors: [tensor("t", 0, [2 ** 32, 2 ** 32])], dataBytes: 32 }, /impossible shape/, 24],
  ["half a block", { tensors: [tensor("t", 0, [16, 2], 8)], dataBytes: 64 }, /rows of 16 values/, 24],
  ["an offset off the grid", { tensors: [tensor("t", 8)], dataBytes: 64 }, /not aligned to 32/, 24],
  ["an offset of 2^64 - 32", { tensors: [tensor("t", 2n ** 64n - 32n)], dataBytes: 64 }, /beyond any file/, 24],
  ["a tensor beyond the end", { tensors: [tensor("t", 64)], dataBytes: 64 }, /tensor t ends at byte/, 128],
  ["two of a name", { tensors: [tensor("t", 0), tensor("t", 32)], dataBytes: 64 }, /two tensors called t/, 57],
  ["an overlap", { tensors: [tensor("t", 0, [9]), tensor("u", 32)], dataBytes: 64 }, /tensor u overlaps/, 128],
  ["type 999", { tensors: [tensor("t", 0, [32], 999)], dataBytes: 32 }, /tensor t is of the unknown type 999/, 24],
];

for (const [name, plan, message, byte] of faults) {
  test(name, async () => {
    let closed = 0;
    const source: ByteSource = { ...bytesSource("bad.gguf", makeGguf(plan)), close: async () => void closed++ };
    const fault = await formatFault(() => openGguf(source));
    assert.is(fault.file, "bad.gguf");
    assert.match(fault.message, message);
    if (byte !== undefined) assert.is(fault.byteOffset, byte);
    assert.is(closed, 1);
  });
}

test("types that are not read may stand in a file, with the sizes that ggml gives them", async () => {
  const { types } = JSON.parse(readFileSync("test/fixtures/gguf/block-sizes.json", "utf8"));
  for (const [type, name, length, bytes] of types as [number, string, number, number][]) {
    const plan = { tensors: [tensor("t", 0, [2 * length, 3], type)], dataBytes: 6 * bytes };
    const [found] = (await openGguf(bytesSource("made", makeGguf(plan)))).tensors;
    assert.equal([found!.type, found!.shape, found!.byteLength], [name, [3, 2 * length], 6 * bytes]);
  }
});

test("a header without end is given up", async () => {
  const bytes = new Uint8Array(60_000_000);
  bytes.set(makeGguf({ keyCount: 7 }));
  let offset = 24;
  for (let index = 0; index < 7; index++) {
    const entry = makeGguf({ keys: [[`key${index}`, array(10, [], 1_000_000)]] }).subarray(24, 24 + 8 + 4 + 4 + 12);
    bytes.set(entry, offset);
    offset += entry.length + 8_000_000;
  }
  assert.match((await formatFault(() => openGguf(bytesSource("long", bytes)))).message, /more than 48000000 bytes/);
});

test("cut anywhere, measured or not, a file is refused at the byte where it ends", async () => {
  const bytes = new Uint8Array(readFileSync("test/fixtures/gguf/tiny-old.gguf"));
  const { tensors } = await openGguf(bytesSource("whole", bytes));
  const last = tensors.at(-1)!;
  const random = seededRandom(3);
  for (let round = 0; round < 150; round++) {
    const length = Math.floor((last.byteOffset + last.byteLength) * random() ** 3);
    const cut = bytes.subarray(0, length);
    const measured = await formatFault(() => openGguf(bytesSource("cut", cut)));
    assert.is(measured.byteOffset, length);
    const read = await formatFault(async () => readTensors(await openGguf(unmeasured("cut", cut))));
    assert.is(read.byteOffset, length);
  }
});

test("random damage ends in a FormatError or a file whose tensors lie inside", async () => {
  const whole = makeGguf({
    keys: [
      ["general.alignment", u32(64)],
      ["tokens", array(8, [text("one"), text("two"), text("three")])],
      ["nested", array(9, [array(4, [u32(1)]), array(8, [text("a")])])],
      ["name", text("damaged")],
    ],
    tensors: [tensor("first", 0, [32, 4], 8), tensor("second", 192, [16]), tensor("third", 256, [256], 12)],
    alignment: 64,
    dataBytes: 448,
  });
  const random = seededRandom(11);
  const header = whole.length - 448;
  let refused = 0;
  for (let round = 0; round < 600; round++) {
    const bytes = whole.slice(0, random() < 0.1 ? Math.floor(random() * whole.length) : undefined);
    for (let count = 1 + random() * 3; count > 0; count--) {
      bytes[Math.floor(random() * header)] = random() < 0.5 ? Math.floor(random() * 256) : random() < 0.5 ? 0 : 255;
    }
    const source = random() < 0.5 ? bytesSource("damaged", bytes) : unmeasured("damaged", bytes);
    try {
      const file = await openGguf(source);
      await readTensors(file);
      assert.not(file.tensors.some(({ byteOffset, byteLength }) => byteOffset + byteLength > bytes.length));
    } catch (error) {
      assert.instance(error, FormatError, String((error as Error).stack));
      refused++;
    }
  }
  assert.ok(refused > 300 && refused < 600, `${refused} refused`);
});

test.run();
