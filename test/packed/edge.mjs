/** Edge isolates: Cloudflare's workerd by miniflare, and Vercel's edge-runtime. */
import { createReadStream, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import process from "node:process";
import { Readable } from "node:stream";
import { EdgeRuntime } from "edge-runtime";
import { build } from "esbuild";
import { Miniflare, Response } from "miniflare";
import { inputs, same } from "./same.mjs";
import { app, test } from "./support.mjs";

const model = join(app, "node_modules/siskin-nano/nano.gguf");
const versionOf = (path) => JSON.parse(readFileSync(`${path}/package.json`, "utf8")).version;

test("workerd", async () => {
  const outdir = join(app, "workerd");
  // As wrangler bundles: the .wasm files stay imports.
  await build({
    entryPoints: [join(app, "worker.js")],
    outdir,
    bundle: true,
    format: "esm",
    outExtension: { ".js": ".mjs" },
    conditions: ["workerd", "worker", "browser"],
    loader: { ".wasm": "copy" },
  });
  const miniflare = new Miniflare({
    modules: true,
    modulesRoot: outdir,
    scriptPath: join(outdir, "worker.mjs"),
    modulesRules: [
      { type: "ESModule", include: ["**/*.mjs"] },
      { type: "CompiledWasm", include: ["**/*.wasm"] },
    ],
    compatibilityDate: "2026-04-01",
    // The network, in which the published package would lie.
    outboundService: ({ url }) =>
      new URL(url).pathname.endsWith(`/siskin-nano@${versionOf("packages/nano")}/nano.gguf`)
        ? new Response(Readable.toWeb(createReadStream(model)))
        : new Response("", { status: 404 }),
  });
  try {
    const response = await miniflare.dispatchFetch("http://worker/", { method: "POST", body: JSON.stringify(inputs) });
    const body = await response.text();
    if (response.status !== 200) throw new Error(body);
    // Its clock stands still while it computes.
    same(`workerd ${versionOf(resolve("node_modules/workerd")).replace(/^1\./, "")}`, JSON.parse(body));
  } finally {
    await miniflare.dispose();
  }
});

test("edge-runtime", async () => {
  const { outputFiles } = await build({
    entryPoints: [join(app, "edge.js")],
    bundle: true,
    write: false,
    format: "iife",
    conditions: ["edge-light", "worker", "browser"],
    plugins: [compiledByThePlatform()],
  });
  const server = createServer((_, response) => createReadStream(model).pipe(response)).listen(0);
  const core = new WebAssembly.Module(readFileSync(join(app, "node_modules/siskin/dist/core.wasm")));
  const runtime = new EdgeRuntime({
    codeGeneration: { strings: false, wasm: false },
    extend: (context) => Object.assign(context, { CORE: core }),
  });
  try {
    runtime.evaluate(outputFiles[0].text);
    const url = `http://localhost:${server.address().port}/nano.gguf`;
    const call = JSON.stringify({ ...inputs, model: url });
    const result = JSON.parse(await runtime.evaluate(`main(Object.assign(${call}, { core: CORE }))`));
    // This Node's WebAssembly.
    same(`edge-runtime ${versionOf("test/packed/node_modules/edge-runtime")} on Node ${process.versions.node}`, result);
  } finally {
    server.close();
    server.closeAllConnections();
  }
});

/** `import core from "….wasm?module"` is for the platform, which hands over a compiled module. */
function compiledByThePlatform() {
  return {
    name: "module",
    setup(bundler) {
      bundler.onResolve({ filter: /\.wasm\?module$/ }, ({ path }) => ({ path, namespace: "module" }));
      bundler.onLoad({ filter: /./, namespace: "module" }, () => ({ contents: "export default globalThis.CORE" }));
    },
  };
}
