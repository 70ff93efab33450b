/** An aborted loadModel rejects at once, whatever its source is doing, and what cannot be a source is refused. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, SiskinError, UnsupportedError } from "../../src/errors.ts";
import { loadModel, type ModelSource } from "../../src/runtimes/node.ts";
import { tinyFolder, tinyGguf, tinyModel } from "../support/tiny-model.ts";

const test = suite("abort loading");
const tiny = tinyModel();
const gguf = tinyGguf(tiny);

/** What a loading that is aborted after 30 ms ends in; it must end within a second. */
async function aborted(source: ModelSource): Promise<unknown> {
  const controller = new AbortController();
  const reason = new Error("enough");
  setTimeout(() => controller.abort(reason), 30);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise((resolve) => {
    timer = setTimeout(resolve, 1000, "still loading");
  });
  const outcome = await Promise.race([
    loadModel(source, { signal: controller.signal }).then(
      () => "loaded",
      (error) => (error === reason ? "aborted" : error),
    ),
    late,
  ]);
  clearTimeout(timer);
  return outcome;
}

/** A stream of the first bytes, after which nothing comes, and whose cancelling never ends. */
function stalled(bytes: Uint8Array): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(bytes),
    cancel: () => new Promise(() => {}),
  });
}

/** A Blob on a medium that does not answer. */
class SilentBlob extends Blob {
  override slice(): Blob {
    return this;
  }
  override arrayBuffer(): Promise<ArrayBuffer> {
    return new Promise(() => {});
  }
}

const folder = tinyFolder(tiny);
const safetensors = folder["model.safetensors"]!;
const sources: [string, () => ModelSource][] = [
  ["a stream without a byte", () => stalled(new Uint8Array(0))],
  ["a stream in its header", () => stalled(gguf.slice(0, 3000))],
  ["a stream in its weights", () => stalled(gguf.slice(0, gguf.length - 5000))],
  ["a Blob", () => new SilentBlob([gguf])],
  ["a configuration in a record", () => ({ ...folder, "config.json": stalled(new Uint8Array(3)) })],
  ["weights in a record", () => ({ ...folder, "model.safetensors": stalled(safetensors.slice(0, 50_000)) })],
  [
    "a stream of empty pieces without end",
    () => new ReadableStream({ pull: (controller) => controller.enqueue(new Uint8Array(0)) }),
  ],
];

for (const [name, source] of sources) {
  test(name, async () => {
    assert.is(await aborted(source()), "aborted");
  });
}

test("servers that say nothing, or stop in the middle", async () => {
  const server = createServer((request, response) => {
    if (request.url!.startsWith("/silent")) return;
    response.writeHead(200, { "content-length": gguf.length });
    response.write(gguf.slice(0, 5000));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    for (const path of ["/silent/m.gguf", "/silent/folder", "/half/m.gguf", "/half/folder"]) {
      assert.is(await aborted(base + path), "aborted", path);
    }
  } finally {
    server.closeAllConnections?.();
    server.close();
  }
});

test("aborted before it begins, nothing is asked for", async () => {
  let asked = 0;
  const stream = new ReadableStream({ pull: () => void asked++ }, { highWaterMark: 0 });
  const signal = AbortSignal.abort("no");
  const error = await loadModel(stream, { signal }).catch((reason) => reason);
  assert.is(error, "no");
  assert.is(asked, 0);
});

test("aborted amid progress, nothing is left waiting", async () => {
  const controller = new AbortController();
  const error = await loadModel(gguf, { signal: controller.signal, onProgress: () => controller.abort() }).catch(
    (reason) => reason,
  );
  assert.is(error, controller.signal.reason);
});

const nonsense: [unknown, typeof SiskinError, RegExp][] = [
  [undefined, ArgumentError, /^A model is a path, .* and not undefined$/],
  [null, ArgumentError, /and not null$/],
  [5, ArgumentError, /and not 5$/],
  [5n, ArgumentError, /and not 5n$/],
  [["config.json"], ArgumentError, /and not \["config\.json"\]$/],
  [new Map(), ArgumentError, /and not a Map$/],
  [new Float32Array(2), ArgumentError, /and not a Float32Array of 8 bytes$/],
  [() => {}, ArgumentError, /and not a function$/],
  ["http://", ArgumentError, /"http:\/\/" is not a URL/],
  ["http://[.gguf", ArgumentError, /is not a URL/],
  ["mailto:x", ArgumentError, /"mailto:x" is not the URL of a folder/],
  ["file:///nowhere/%ff", ArgumentError, /is not the URL of a file/],
  ["data:text/plain,hello", SiskinError, /ends early/],
  ["nowhere/m.gguf", UnsupportedError, /nowhere\/m\.gguf: there is no such file/],
  ["a\0b.gguf", UnsupportedError, /cannot be opened/],
  ["package.json", SiskinError, /^package\.json: is not a GGUF file/],
  [{ "config.json": 5 }, ArgumentError, /config\.json: a file is a Blob, bytes/],
  [{ "m.gguf": null }, ArgumentError, /m\.gguf: a file is a Blob, bytes/],
  [{}, SiskinError, /has no config\.json/],
];

for (const [source, kind, message] of nonsense) {
  test(`no model: ${String(message)}`, async () => {
    const error = await loadModel(source as ModelSource).catch((reason) => reason);
    assert.instance(error, kind, String(error));
    assert.match(error.message, message);
  });
}

test("a data: URL is the file itself", async () => {
  const url = `data:application/octet-stream;base64,${Buffer.from(gguf).toString("base64")}`;
  const model = await loadModel(url);
  assert.is(model.config.layers, 2);
  model.dispose();
});

test.run();
