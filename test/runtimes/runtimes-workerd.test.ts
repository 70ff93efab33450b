/** The example worker in workerd: nothing compiled from bytes, the model from a bucket, within an isolate's 128 MB. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { fetch, Miniflare } from "miniflare";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkAnswers, documentPath, questions, tokenCount } from "../support/documents.ts";

const test = suite("workerd");
const folder = mkdtempSync(join(tmpdir(), "siskin-workerd-"));
// As wrangler bundles: the .wasm files stay imports.
await build({
  entryPoints: ["examples/worker/worker.mjs"],
  outdir: folder,
  bundle: true,
  format: "esm",
  outExtension: { ".js": ".mjs" },
  conditions: ["workerd", "worker", "browser"],
  loader: { ".wasm": "copy" },
});
const miniflare = new Miniflare({
  modules: true,
  modulesRoot: folder,
  scriptPath: join(folder, "worker.mjs"),
  modulesRules: [
    { type: "ESModule", include: ["**/*.mjs"] },
    { type: "CompiledWasm", include: ["**/*.wasm"] },
  ],
  compatibilityDate: "2026-04-01",
  r2Buckets: ["MODELS"],
  inspectorPort: 0,
});
test.after(async () => {
  await miniflare.dispose();
  rmSync(folder, { recursive: true });
});

/**
 * Asks the worker's inspector again and again for the size of its JavaScript heap.
 *
 * @returns a function that stops it and gives the most bytes seen: the heap with its garbage, and its array buffers
 */
async function watchHeap(): Promise<() => number> {
  const inspector = await miniflare.getInspectorURL();
  const address = `http://${inspector.host}/core:user:`;
  const { webSocket } = await fetch(address, { headers: { Upgrade: "websocket" } });
  let most = 0;
  webSocket!.addEventListener("message", ({ data }) => {
    const { totalSize, backingStorageSize } = JSON.parse(String(data)).result;
    most = Math.max(most, totalSize + backingStorageSize);
  });
  webSocket!.accept();
  const request = JSON.stringify({ id: 1, method: "Runtime.getHeapUsage" });
  const timer = setInterval(() => webSocket!.send(request), 25);
  return () => {
    clearInterval(timer);
    webSocket!.close();
    return most;
  };
}

interface Bucket {
  put(name: string, data: Uint8Array): Promise<unknown>;
}

/** What the worker answers to a posted text. */
async function ask(text: string, questions: readonly string[]) {
  const query = new URLSearchParams(questions.map((question) => ["question", question]));
  const response = await miniflare.dispatchFetch(`http://worker/?${query}`, { method: "POST", body: text });
  const body = await response.text();
  assert.is(response.status, 200, body);
  return JSON.parse(body);
}

test("answers rightly, stays below 128 MB, and needs no more for the next request", async () => {
  // Typed by hand: the types of Cloudflare's runtime are not installed.
  const bucket = (await miniflare.getR2Bucket("MODELS")) as unknown as Bucket;
  await bucket.put("nano.gguf", new Uint8Array(readFileSync("packages/nano/nano.gguf")));
  const text = readFileSync(`${documentPath}.txt`, "utf8");
  const heapBytes = await watchHeap();
  const { answers, tokens, memory } = await ask(text, questions);
  const megabytes = [memory.byteLength, heapBytes()].map((bytes) => bytes / 1e6);
  checkAnswers(answers.map(({ answer }: { answer: string }) => answer));
  // Two tokens of the prompt stand before the text.
  assert.is(tokens, tokenCount + 2);
  const [core = 0, heap = 0] = megabytes;
  console.log(`core memory ${core.toFixed(1)} MB, JavaScript heap ${heap.toFixed(1)} MB`);
  assert.ok(heap > 1, "the inspector did not tell the size of the heap");
  assert.ok(core + heap < 128, `core memory ${core} MB, JavaScript heap ${heap} MB`);

  const next = await ask(text.slice(0, 4000), questions.slice(0, 1));
  assert.equal(next.memory.byteLength, memory.byteLength);
});

test.run();
