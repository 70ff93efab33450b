/** A GGUF in parts, given by its first one, from every place that has the others too. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import { ArgumentError, loadModel, type ModelSource } from "../../src/runtimes/node.ts";
import { assertSame } from "../support/assertions.ts";
import { type GgufValue, text, u32 } from "../support/files.ts";
import { ggufPart, partName } from "../support/split-models.ts";
import { ggufTensors, tinyGguf, tinyModel } from "../support/tiny-model.ts";

const test = suite("GGUF in parts");
const tokens = [72, 101, 108, 108, 111];
const tiny = tinyModel();
const all = [...ggufTensors(tiny)];

const part = (
  index: number,
  tensors?: typeof all,
  keys?: Readonly<Record<string, GgufValue | undefined>>,
): Uint8Array<ArrayBuffer> => ggufPart(tiny, index, tensors, keys);

const parts = (): Record<string, Uint8Array<ArrayBuffer>> =>
  Object.fromEntries([2, 0, 1].map((index) => [partName(index), part(index)]));

async function logitsOf(source: ModelSource): Promise<Float32Array> {
  const model = await loadModel(source);
  const logits = model.createSession().prefill(tokens);
  model.dispose();
  return logits;
}

async function faultOf(source: ModelSource): Promise<Error> {
  return loadModel(source).then(
    () => assert.unreachable("it was loaded") as never,
    (reason) => reason,
  );
}

test("a record of all, in any order", async () => {
  assertSame(await logitsOf(parts()), await logitsOf(tinyGguf(tiny)));
  const streams = Object.fromEntries(
    Object.entries(parts()).map(([name, bytes]) => [name, new Blob([bytes]).stream()]),
  );
  assertSame(await logitsOf(streams), await logitsOf(tinyGguf(tiny)));
});

test("the path of the first", async () => {
  const folder = mkdtempSync(join(tmpdir(), "siskin-"));
  try {
    for (const [name, bytes] of Object.entries(parts())) writeFileSync(join(folder, name), bytes);
    const expected = await logitsOf(tinyGguf(tiny));
    assertSame(await logitsOf(join(folder, partName(0))), expected);
    assertSame(await logitsOf(new URL(`file://${join(folder, partName(0))}`)), expected);
    const second = await faultOf(join(folder, partName(1)));
    assert.match(second.message, /^tiny-00002-of-00003\.gguf: is part 1 \(of 0 to 2\); give part 0, the first$/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("the URL of the first, with its query", async () => {
  const asked: string[] = [];
  const files = parts();
  const server = createServer((request, response) => {
    asked.push(request.url!);
    const name = decodeURIComponent(request.url!.split("?")[0]!.split("/").at(-1)!).replace("my tiny", "tiny");
    if (files[name] && request.url!.endsWith("?token=5")) response.end(files[name]);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/models/my%20`;
    assertSame(await logitsOf(`${base}${partName(0)}?token=5`), await logitsOf(tinyGguf(tiny)));
    assert.equal(
      asked.sort(),
      [0, 1, 2].map((index) => `/models/my%20${partName(index)}?token=5`),
    );
    delete files[partName(2)];
    assert.match((await faultOf(`${base}${partName(0)}?token=5`)).message, /00003-of-00003\.gguf: is missing/);
  } finally {
    server.closeAllConnections?.();
    server.close();
  }
});

test("bytes alone have nothing beside them", async () => {
  for (const source of [part(0), new Blob([part(0)]), new Blob([part(0)]).stream()]) {
    const fault = await faultOf(source);
    assert.instance(fault, FormatError);
    assert.match(fault.message, /is one of 3 parts: give the path or URL of the first, or a record of all/);
  }
});

const [first, second, third] = [partName(0), partName(1), partName(2)] as [string, string, string];
const wrong: [string, Record<string, Uint8Array>, RegExp][] = [
  ["a part that is missing", { [third]: new Uint8Array(0) }, /00003-of-00003\.gguf: ends early/],
  ["a part twice", { [third]: part(1) }, /00003-of-00003\.gguf: should be part 2 \(split\.no\) and is 1/],
  ["a part that does not say which", { [second]: part(1, undefined, { "split.no": undefined }) }, /and is none/],
  ["a part of another model", { [second]: part(1, undefined, { "split.count": u32(4) }) }, /is one of 4 parts/],
  [
    "a tensor in two parts",
    { [third]: part(2, all.slice(13)) },
    /has a tensor .*, and so has tiny-00002-of-00003\.gguf/,
  ],
  [
    "a tensor less",
    { [third]: part(2, all.slice(14, -1)) },
    /says that its parts have 21 tensors in all, and they have 20/,
  ],
  ["a number of tensors in letters", { [first]: part(0, undefined, { "split.tensors.count": text("x") }) }, /is "x"/],
  [
    "no number of tensors",
    { [first]: part(0, undefined, { "split.tensors.count": undefined }) },
    /have \? tensors in all/,
  ],
  [
    "four parts in the name of three",
    { [first]: part(0, undefined, { "split.count": u32(4) }) },
    /is the first of 4 parts/,
  ],
];

for (const [name, changes, message] of wrong) {
  test(name, async () => {
    const fault = await faultOf({ ...parts(), ...changes });
    assert.instance(fault, FormatError, String(fault));
    assert.match(fault.message, message);
  });
}

test("names that are none of parts", async () => {
  assert.match((await faultOf({ "model.gguf": part(0) })).message, /names should end in -00001-of-00003\.gguf/);
  const { [third]: _, ...two } = parts();
  assert.match(
    (await faultOf(two)).message,
    /00003-of-00003\.gguf: is missing: tiny-00001-of-00003\.gguf is the first/,
  );
  const several = await faultOf({ "a.gguf": tinyGguf(tiny), "b.gguf": tinyGguf(tiny) });
  assert.instance(several, ArgumentError);
  assert.match(several.message, /several GGUF files, .*: a\.gguf, b\.gguf/);
});

test.run();
