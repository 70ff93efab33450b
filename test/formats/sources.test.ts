/** Where bytes come from: memory, Blob, stream, file, and servers that do not do what they should. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, FormatError, UnsupportedError } from "../../src/errors.ts";
import { fetchSource } from "../../src/formats/fetch-source.ts";
import { dataSource, readText, recordFiles, urlFiles } from "../../src/formats/file-set.ts";
import { fileSource, folderFiles } from "../../src/formats/file-source.ts";
import type { Fetch } from "../../src/formats/request.ts";
import { type ByteSource, blobSource, bytesSource, withPrefix } from "../../src/formats/source.ts";
import { streamSource } from "../../src/formats/stream-source.ts";
import { choppedStream, formatFault } from "../support/files.ts";
import { seededRandom } from "../support/random.ts";

const data = Uint8Array.from({ length: 10_000 }, (_, index) => (index * index) >> 3);

/** The error that `run` ends in. */
async function faultOf(run: () => Promise<unknown>): Promise<Error> {
  return run().then(
    () => assert.unreachable("no error was thrown") as never,
    (error) => error,
  );
}

async function read(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  const target = new Uint8Array(length);
  await source.readInto(offset, target);
  return target;
}

const kinds: Record<string, () => ByteSource | Promise<ByteSource>> = {
  bytes: () => bytesSource("data", data),
  buffer: () => dataSource("data", data.slice().buffer),
  blob: () => blobSource("data", new Blob([data.subarray(0, 1234), data.subarray(1234)])),
  stream: () => streamSource("data", choppedStream(data, 300, seededRandom(1))),
  fetched: async () => (await fetchSource("http://host/data", { fetch: async () => new Response(data.slice()) }))!,
  prefixed: async () => {
    const stream = streamSource("data", choppedStream(data, 300, seededRandom(2)));
    return withPrefix(await read(stream, 0, 100), stream);
  },
};

for (const [kind, make] of Object.entries(kinds)) {
  test(`${kind}: pieces, gaps and all`, async () => {
    const source = await make();
    assert.equal(await read(source, 0, 10), data.slice(0, 10));
    assert.equal(await read(source, 10, 0), new Uint8Array(0));
    assert.equal(await read(source, 50, 900), data.slice(50, 950));
    assert.equal(await read(source, 5000, 5000), data.slice(5000));
    if (source.seekable) assert.equal(await read(source, 3, 4), data.slice(3, 7));
    await source.close();
    assert.equal(await (await make()).readAll(10_000), data);
    assert.match((await formatFault(async () => (await make()).readAll(9_999))).message, /longer than the 9999 bytes/);
  });

  test(`${kind}: the byte where it ends`, async () => {
    const fault = await formatFault(async () => read(await make(), 9_000, 1_001));
    assert.is(fault.byteOffset, 10_000);
    assert.match(fault.message, /ends early: 10001 bytes are needed/);
  });
}

test("a blob longer than a piece", async () => {
  const long = new Uint8Array(9 << 20).map((_, index) => index >> 10);
  assert.equal(await read(blobSource("long", new Blob([long])), 5, long.length - 5), long.subarray(5));
});

test("a stream does not go back, is nobody else's, and gives bytes", async () => {
  const stream = choppedStream(data, 10, seededRandom(1));
  const source = streamSource("s", stream);
  await read(source, 100, 10);
  assert.instance(await faultOf(() => read(source, 99, 1)), ArgumentError);
  assert.equal(await source.readAll(10_000), data.slice(110));
  assert.throws(
    () => streamSource("s", stream),
    (error: unknown) => error instanceof ArgumentError,
  );
  const letters = new ReadableStream({ start: (controller) => controller.enqueue("abc") });
  assert.match((await formatFault(() => read(streamSource("s", letters), 0, 1))).message, /something else than bytes/);
});

test("closing a stream cancels it", async () => {
  let cancelled = 0;
  const source = streamSource("s", new ReadableStream({ cancel: () => void cancelled++ }));
  await source.close();
  assert.is(cancelled, 1);
});

test("no more of a stream is held than one piece", async () => {
  let pulled = 0;
  const stream = new ReadableStream(
    { pull: (controller) => controller.enqueue(new Uint8Array(10).fill(pulled++)) },
    { highWaterMark: 0 },
  );
  const source = streamSource("s", stream);
  await read(source, 0, 25);
  assert.is(pulled, 3);
});

/** Runs `use` with the address of a server of this machine. */
async function withServer(listener: RequestListener, use: (base: string) => Promise<void>): Promise<void> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  } finally {
    server.closeAllConnections?.();
    server.close();
  }
}

test("a server: files, 404, 500", async () => {
  const listener: RequestListener = (request, response) => {
    if (request.url === "/m/a%20b.bin") response.end(data);
    else response.writeHead(request.url === "/m/broken" ? 500 : 404).end();
  };
  await withServer(listener, async (base) => {
    for (const files of [urlFiles(`${base}/m`), urlFiles(new URL(`${base}/m/`))]) {
      assert.equal(await (await files.open("a b.bin"))!.readAll(1e6), data);
      assert.is(await files.open("none"), undefined);
      assert.match((await faultOf(() => files.open("broken"))).message, /answered 500/);
    }
    const missing = await faultOf(() => dataSource("model", `${base}/none.gguf`));
    assert.instance(missing, UnsupportedError);
    assert.match(missing.message, /none\.gguf: there is no such file/);
    const record = recordFiles({ model: new URL(`${base}/m/a%20b.bin`) });
    assert.equal(await read((await record.open("model"))!, 7, 20), data.slice(7, 27));
  });
});

test("a server that drops the connection, and one that is not there", async () => {
  let base = "";
  const listener: RequestListener = (_request, response) => {
    response.writeHead(200, { "content-length": data.length });
    response.write(data.subarray(0, 4000), () => setTimeout(() => response.destroy(), 20));
  };
  await withServer(listener, async (address) => {
    base = address;
    const source = (await fetchSource(`${base}/model.gguf`))!;
    assert.is(source.byteLength, 10_000);
    assert.equal(await read(source, 0, 100), data.slice(0, 100));
    const fault = await faultOf(() => read(source, 100, 9_900));
    assert.ok(fault instanceof UnsupportedError || fault instanceof FormatError);
    assert.match(fault.message, /model\.gguf: .*byte 4000/);
    await source.close();
  });
  const fault = await faultOf(() => fetchSource(base));
  assert.instance(fault, UnsupportedError);
  assert.match(fault.message, /cannot be reached/);
});

test("an abort gives its own reason, before and during", async () => {
  const reason = new Error("enough");
  const controller = new AbortController();
  const fetch: Fetch = async (_url, { signal }) =>
    new Response(
      new ReadableStream({
        start(stream) {
          stream.enqueue(data.slice(0, 50));
          signal!.addEventListener("abort", () => stream.error(signal!.reason));
        },
      }),
    );
  const source = (await fetchSource("http://host/data", { fetch, signal: controller.signal }))!;
  await read(source, 0, 50);
  const reading = faultOf(() => read(source, 50, 50));
  controller.abort(reason);
  assert.is(await reading, reason);
  assert.is(await faultOf(() => fetchSource("http://host/data", { fetch, signal: controller.signal })), reason);
});

test("a length is believed only of what travels as it is", async () => {
  const length = async (headers: Record<string, string>) =>
    (await fetchSource("http://host/x", { fetch: async () => new Response("abc", { headers }) }))!.byteLength;
  assert.is(await length({ "content-length": "3" }), 3);
  assert.is(await length({ "content-length": "3", "content-encoding": "gzip" }), undefined);
  assert.is(await length({ "content-length": "-3" }), undefined);
  assert.is(await length({}), undefined);
  const short = await fetchSource("http://host/x", {
    fetch: async () => new Response("abc", { headers: { "content-length": "10" } }),
  });
  assert.is((await formatFault(() => short!.readAll(100))).byteOffset, 3);
});

test("files: into WebAssembly memories of either kind, early ends, folders", async () => {
  const folder = mkdtempSync(join(tmpdir(), "siskin-"));
  try {
    writeFileSync(join(folder, "data.bin"), data);
    mkdirSync(join(folder, "inner"));
    const files = folderFiles(folder);
    const source = (await files.open("data.bin"))!;
    assert.is(source.byteLength, 10_000);
    for (const shared of [false, true]) {
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared });
      await source.readInto(100, new Uint8Array(memory.buffer, 3, 9_900));
      assert.equal(new Uint8Array(memory.buffer).slice(3, 9_903), data.slice(100));
      assert.is(new Uint8Array(memory.buffer)[2], 0);
      assert.is(new Uint8Array(memory.buffer)[9_903], 0);
    }
    assert.is((await formatFault(() => read(source, 9_999, 2))).byteOffset, 10_000);
    writeFileSync(join(folder, "data.bin"), data.subarray(0, 300));
    assert.is((await formatFault(() => read(source, 200, 500))).byteOffset, 300);
    await source.close();
    assert.is((await readText(files, "data.bin"))!.length > 0, true);
    assert.is(await fileSource(join(folder, "none")), undefined);
    assert.instance(await faultOf(() => files.open("inner")), UnsupportedError);
    for (const name of ["../data.bin", "inner/x", "..", "/etc/hosts", "C:x", "a\\b", ""]) {
      assert.instance(await faultOf(() => files.open(name)), ArgumentError, name);
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a record of files has only its own", async () => {
  const files = recordFiles({ "a.json": new Blob(["é"]) });
  assert.is(await readText(files, "a.json"), "é");
  assert.is(await readText(files, "toString"), undefined);
  assert.instance(await faultOf(() => dataSource("x", 5 as never)), ArgumentError);
});

test.run();
