/** Builds dist/: the core in its flavours, one bundle for each kind of runtime, the command line, and the types. */
import { spawn } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import asc from "assemblyscript/asc";
import { bundle } from "./tools/bundle.mjs";
import { rollDeclarations } from "./tools/declarations.mjs";

const { targets } = JSON.parse(readFileSync("asconfig.json", "utf8"));

// The compiler runs in threads of this same file, two of them: each needs 300 MB.
if (isMainThread) await Promise.all([buildCore(), buildPackage()]);
else for (const target of workerData) await compile(target);

/** Compiles the core's flavours, unless they are newer than all that they are made of. */
async function buildCore() {
  const changed = (path) => (existsSync(path) ? statSync(path).mtimeMs : 0);
  const sources = readdirSync("assembly")
    .map((name) => `assembly/${name}`)
    .concat("src/core/layouts.ts");
  const newest = Math.max(...[...sources, "asconfig.json", "package-lock.json"].map(changed));
  const stale = Object.keys(targets).filter((target) => changed(targets[target].outFile) <= newest);
  const halves = [0, 1].map((half) => stale.filter((_, index) => index % 2 === half)).filter((half) => half.length);
  await Promise.all(
    halves.map(
      (half) =>
        new Promise((resolve, reject) => {
          new Worker(new URL(import.meta.url), { workerData: half }).on("error", reject).on("exit", resolve);
        }),
    ),
  );
}

/** Compiles one flavour of the core. */
async function compile(target) {
  const { error, stderr } = await asc.main(["--config", "asconfig.json", "--target", target]);
  if (error) throw new Error(`The core's ${target} flavour does not compile\n${stderr}`);
}

/** Bundles the package and writes its types. */
async function buildPackage() {
  // Types are checked by `npm run check`; here they are only written: one file for all runtimes, whose entries export the same.
  const types = run("node_modules/typescript/bin/tsc", "-p", "tsconfig.json", "--noCheck");
  const { written, exports } = await bundlePackage();
  await types;
  await rollDeclarations(".types/runtimes/node.d.ts", "dist/siskin.d.ts", exports("node"));
  await rollDeclarations(".types/press.d.ts", "dist/press.d.ts", exports("press"));
  await rollDeclarations(".types/server/index.d.ts", "dist/server.d.ts", exports("server"));
  await rollDeclarations(".types/ai/index.d.ts", "dist/ai.d.ts", exports("ai"));
  await rollDeclarations(".types/worker/node.d.ts", "dist/engine.d.ts", exports("engine-node"));
  // Chunks of earlier builds have other names and would be published with this one's.
  const kept = new Set([
    ...written,
    ...Object.values(targets).map(({ outFile }) => outFile),
    "dist/siskin.d.ts",
    "dist/engine.d.ts",
    "dist/press.d.ts",
    "dist/server.d.ts",
    "dist/ai.d.ts",
  ]);
  for (const name of readdirSync("dist")) if (!kept.has(`dist/${name}`)) rmSync(`dist/${name}`, { recursive: true });
}

/** Runs a script of Node's. */
function run(...words) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, words, { stdio: "inherit" });
    child.on("error", reject);
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${words.join(" ")} ended with ${code}`))));
  });
}

/** @huggingface/gguf names a package of 230 KB for its types' sake; told that it has no side effects, esbuild drops it. */
function noSideEffects() {
  return {
    name: "no-side-effects",
    setup(bundler) {
      bundler.onResolve({ filter: /^@huggingface\/tasks$/ }, async (request) => {
        if (request.pluginData === "resolved") return undefined;
        const { path } = await bundler.resolve(request.path, {
          resolveDir: request.resolveDir,
          kind: request.kind,
          pluginData: "resolved",
        });
        return { path, sideEffects: false };
      });
    },
  };
}

/** Bundles all entries. @returns the paths written, and the names that an entry exports */
async function bundlePackage() {
  // One call: what the entries share, nearly everything, is one chunk, so that the package holds one copy.
  const entries = {
    node: "src/runtimes/node.ts",
    browser: "src/runtimes/browser.ts",
    workerd: "src/runtimes/workerd.ts",
    "edge-light": "src/runtimes/edge-light.ts",
    press: "src/press.ts",
    server: "src/server/index.ts",
    ai: "src/ai/index.ts",
    cli: "src/cli/main.ts",
    "engine-node": "src/worker/node.ts",
    "engine-web": "src/worker/web.ts",
    "engine-worker-node": "src/worker/host-node.ts",
    "engine-worker-web": "src/worker/host-web.ts",
  };
  const shared = { target: "es2022", platform: "neutral", sourcemap: true };
  const metafile = await bundle(entries, "dist", {
    ...shared,
    splitting: true,
    chunkNames: "siskin-[hash]",
    conditions: ["import"],
    mainFields: ["module", "main"],
    external: ["node:*", "fs", "commander", "html-to-text", "unpdf", "srvx", "*.wasm", "*.wasm?module"],
    // The package's main entry imports node:fs, which browsers and edge isolates lack.
    alias: { "@huggingface/gguf": "./node_modules/@huggingface/gguf/dist/browser/index.mjs" },
    plugins: [noSideEffects()],
  });
  // A worker's script is one small file of its own.
  const scripts = ["src/runtimes/worker-node.ts", "src/runtimes/worker-web.ts"];
  const workers = await bundle(scripts, "dist", { ...shared, external: ["node:*"] });
  chmodSync("dist/cli.js", 0o755);
  writeFileSync("dist/LICENSES.txt", licenses(metafile));
  return {
    written: [metafile, workers].flatMap(({ outputs }) => Object.keys(outputs)).concat("dist/LICENSES.txt"),
    exports: (entry) => metafile.outputs[`dist/${entry}.js`].exports,
  };
}

/** The licences of the packages that went into the bundles, which their authors ask to be kept with every copy. */
function licenses({ inputs }) {
  const packages = new Set(
    Object.keys(inputs).flatMap((path) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path)?.[0] ?? []),
  );
  return [...packages]
    .sort()
    .map((folder) => {
      const { name, version, license } = JSON.parse(readFileSync(`${folder}/package.json`, "utf8"));
      const file = `${folder}/LICENSE`;
      return `${name} ${version} (${license})\n\n${existsSync(file) ? readFileSync(file, "utf8") : ""}`;
    })
    .join(`\n${"-".repeat(80)}\n\n`);
}
