/** Models of the Hub where there is no file system: kept in pieces in Cache storage, or, without any, read as they come. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { openModelFromWeb } from "../../src/hub/web.ts";
import { FormatError, type LoadOptions, type Model, UnsupportedError } from "../../src/runtimes/node.ts";
import { createLoadModel } from "../../src/session/load.ts";
import { commitOne, type StandIn, standIn } from "../support/hub.ts";

const test = suite<{ hub: StandIn }>("models of the Hub, in a page");
const names = ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"];
const nano = Object.fromEntries(names.map((name) => [name, new Uint8Array(readFileSync(`models/nano/${name}`))]));
const weights = nano["model.safetensors"]!;
/** Of pieces in the cache. */
const pieceBytes = 4 << 20;
const tokens = [5, 6, 7, 8];

/** Cache storage as the standard has it: what is put is read to its end, what is matched is a copy. */
class MemoryStorage {
  readonly entries = new Map<string, ArrayBuffer>();
  /** Bytes that it takes before it is full. */
  room = Number.POSITIVE_INFINITY;

  async open(): Promise<Cache> {
    return {
      match: async (key: string) => {
        const bytes = this.entries.get(key);
        return bytes && new Response(bytes.slice(0));
      },
      put: async (key: string, response: Response) => {
        assert.match(key, /^https?:/);
        const bytes = await response.arrayBuffer();
        if (bytes.byteLength > this.room) throw Object.assign(new Error("full"), { name: "QuotaExceededError" });
        this.room -= bytes.byteLength;
        this.entries.set(key, bytes);
      },
      delete: async (key: string) => this.entries.delete(key),
    } as unknown as Cache;
  }
}

test.before.each(async (context) => {
  context.hub = await standIn({ "org/nano": { commit: commitOne, files: nano } });
});
test.after.each(({ hub }) => hub.close());

/** `loadModel` of a page with this storage. */
const pageWith = (storage: MemoryStorage | undefined) =>
  createLoadModel({
    loadCore: async () => WebAssembly.compile(readFileSync("dist/core.wasm")),
    hub: (name, options) => openModelFromWeb(name, options, storage as unknown as CacheStorage),
  });

async function logitsOf(hub: StandIn, storage: MemoryStorage | undefined, options: LoadOptions = {}) {
  const model: Model = await pageWith(storage)("org/nano", { ...options, hub: { endpoint: hub.endpoint } });
  try {
    return model.createSession().prefill(tokens);
  } finally {
    model.dispose();
  }
}

const expected = await (async () => {
  const hub = await standIn({ "org/nano": { commit: commitOne, files: nano } });
  const logits = await logitsOf(hub, undefined);
  hub.close();
  return logits;
})();

test("weights of several pieces", () => assert.ok(weights.length > 2 * pieceBytes));

test("downloads once, with progress, and works offline the second time", async ({ hub }) => {
  const storage = new MemoryStorage();
  const stages = new Set<string>();
  const onProgress: LoadOptions["onProgress"] = ({ stage }) => void stages.add(stage);
  assert.equal(await logitsOf(hub, storage, { onProgress }), expected);
  assert.equal([...stages], ["download", "load"]);
  hub.asked.length = 0;
  assert.equal(await logitsOf(hub, storage), expected);
  assert.is(hub.asked.length, 1);
  hub.close();
  assert.equal(await logitsOf(hub, storage), expected);
});

test("a page that was closed midway goes on from the last whole piece", async ({ hub }) => {
  const storage = new MemoryStorage();
  const sent = pieceBytes + 1000;
  hub.misbehave = (_request, response, { pathname }) => {
    if (!pathname.startsWith("/storage/")) return false;
    response.writeHead(200, { "content-length": weights.length });
    return response.write(weights.subarray(0, sent)) || true;
  };
  const controller = new AbortController();
  const all = Object.values(nano).reduce((sum, { length }) => sum + length, 0);
  const onProgress: LoadOptions["onProgress"] = ({ bytesRead }) => {
    if (bytesRead === all - weights.length + sent) controller.abort("closed");
  };
  const error = await logitsOf(hub, storage, { signal: controller.signal, onProgress }).catch((reason) => reason);
  assert.is(error, "closed");
  hub.misbehave = undefined;
  hub.asked.length = 0;
  assert.equal(await logitsOf(hub, storage), expected);
  assert.ok(hub.asked.includes(`GET /storage/org/nano/model.safetensors bytes=${pieceBytes}-`), hub.asked.join("\n"));
});

test("a browser without room reads the file as it comes", async ({ hub }) => {
  const storage = new MemoryStorage();
  storage.room = pieceBytes + weights.length / 4;
  assert.equal(await logitsOf(hub, storage), expected);
  assert.not.ok([...storage.entries.keys()].some((key) => /\/blobs\/[0-9a-f]{64}/.test(key)));
});

test("what is not what the Hub says is refused, and does not stay", async ({ hub }) => {
  const storage = new MemoryStorage();
  const altered = weights.map((byte, index) => (index === 5_000_000 ? byte ^ 1 : byte));
  hub.misbehave = (_request, response, { pathname }) =>
    pathname.startsWith("/storage/") && Boolean(response.end(altered));
  const error = await logitsOf(hub, storage).catch((reason) => reason);
  assert.instance(error, FormatError);
  assert.match(error.message, /model\.safetensors: has the SHA-256/);
  hub.misbehave = undefined;
  assert.equal(await logitsOf(hub, storage), expected);
});

test("a piece that the browser has taken away is missed, and fetched the next time", async ({ hub }) => {
  const storage = new MemoryStorage();
  await logitsOf(hub, storage);
  const piece = [...storage.entries.keys()].find((key) => key.endsWith("/2"))!;
  storage.entries.delete(piece);
  const error = await logitsOf(hub, storage).catch((reason) => reason);
  assert.instance(error, UnsupportedError);
  assert.match(error.message, /model\.safetensors: a piece of it was taken out of the cache/);
  assert.equal(await logitsOf(hub, storage), expected);
});

test("a path is refused where there is no file system", async () => {
  const load = pageWith(undefined);
  for (const path of ["./models/nano", "nano", "models/nano/m.gguf"]) {
    const error = await load(path).catch((reason) => reason);
    assert.match(error.message, /this runtime has no file system; give a URL, a name on the Hub/);
  }
});

test.run();
