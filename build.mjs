/** Builds dist/: the core in its flavours, one bundle for each kind of runtime, the command line, the types; and the model of siskin-nano. */
import { spawn } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { isMainThread, Worker, workerData } from "node:worker_threads";
import asc from "assemblyscript/asc";
import { bundle } from "./tools/bundle.mjs";

import { redeclare, rollDeclarations } from "./tools/declarations.mjs";
import { packModel } from "./tools/pack-model.mjs";

const { targets } = JSON.parse(readFileSync("asconfig.json", "utf8"));

// The compiler runs in threads of this same file, two of them: each needs 300 MB.
if (isMainThread) {
  const core = buildCore();
  await Promise.all([buildPackage(core), buildNano()]);
} else for (const target of workerData) await compile(target);

/** Compiles the core's flavours, unless they are newer than all that they are made of. */
async function buildCore() {
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

/** When a file was written; 0 when there is none. */
function changed(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

/** Makes the model of packages/nano from the one in models/nano, unless it is newer than all that it is made of. */
async function buildNano() {
  const sources = readdirSync("models/nano").map((name) => `models/nano/${name}`);
  const tools = ["tools/llama-gguf.ts", "tools/gguf-write.ts", "tools/pack-model.mjs"];
  copyFileSync("LICENSE", "packages/nano/LICENSE");
  const file = "packages/nano/nano.gguf";
  if (changed(file) <= Math.max(...[...sources, ...tools].map(changed))) await packModel("models/nano", file);
}

/** Compiles one flavour of the core. */
async function compile(target) {
  const { error, stderr } = await asc.main(["--config", "asconfig.json", "--target", target]);
  if (error) throw new Error(`The core's ${target} flavour does not compile\n${stderr}`);
}

/** Bundles the package and writes its types. @param core settles when the core is built */
async function buildPackage(core) {
  // Types are checked by `npm run check`; here they are only written.
  const types = run("node_modules/typescript/bin/tsc", "-p", "tsconfig.json", "--noCheck");
  const [{ written, exportsOf }] = await Promise.all([bundlePackage(), types, core]);
  const declarations = await writeTypes(exportsOf);
  const embedded = await bundleEmbedded();
  // Chunks of earlier builds have other names and would be published with this one's.
  const kept = new Set([
    ...written,
    ...declarations,
    ...embedded,
    ...Object.values(targets).map(({ outFile }) => outFile),
  ]);
  for (const name of readdirSync("dist")) if (!kept.has(`dist/${name}`)) rmSync(`dist/${name}`, { recursive: true });
}

/**
 * Writes the types of each sub-path, the same on every runtime.
 *
 * @param exportsOf the names that an entry exports at run time
 * @returns the paths written
 */
async function writeTypes(exportsOf) {
  const compiled = (name) => `.types/runtimes/${name}.d.ts`;
  await rollDeclarations(compiled("node"), "dist/siskin.d.ts", exportsOf("node"));
  await rollDeclarations(compiled("core-embedded"), "dist/core-embedded.d.ts", ["embeddedCore"]);
  await rollDeclarations(".types/worker/node.d.ts", "dist/engine.d.ts", exportsOf("engine-node"));
  await rollDeclarations(".types/press.d.ts", "dist/press.d.ts", exportsOf("press"));
  await redeclare(compiled("tensor-node"), "dist/tensor.d.ts", "./siskin.js", exportsOf("tensor-node"));
  copyFileSync("src/web.d.ts", "dist/web.d.ts");
  // What `import core from "siskin/core.wasm"` gives on platforms that compile it.
  const core = [
    '/// <reference path="./web.d.ts" />',
    "declare const core: WebAssembly.Module;",
    "export default core;",
  ];
  writeFileSync("dist/core.wasm.d.ts", core.concat("").join("\n"));
  return ["siskin", "engine", "press", "core-embedded", "tensor", "web", "core.wasm"].map(
    (name) => `dist/${name}.d.ts`,
  );
}

/** Runs a script of Node's. */
function run(...words) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, words, { stdio: "inherit" });
    child.on("error", reject);
    child.on("exit", (code) => (code === 0 ? resolve() : reject(new Error(`${words.join(" ")} ended with ${code}`))));
  });
}

/** Bundles all entries. @returns the paths written, and the names that each entry exports */
async function bundlePackage() {
  // One call: what the entries share, nearly everything, is one chunk, so that the package holds one copy.
  const entries = {
    node: "src/runtimes/node.ts",
    browser: "src/runtimes/browser.ts",
    workerd: "src/runtimes/workerd.ts",
    "edge-light": "src/runtimes/edge-light.ts",
    "tensor-node": "src/runtimes/tensor-node.ts",
    "tensor-browser": "src/runtimes/tensor-browser.ts",
    "tensor-workerd": "src/runtimes/tensor-workerd.ts",
    "tensor-edge-light": "src/runtimes/tensor-edge-light.ts",
    press: "src/press.ts",
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
    external: ["node:*", "fs", "commander", "html-to-text", "unpdf", "*.wasm", "*.wasm?module"],
  });
  // A worker's script is one small file of its own.
  const scripts = ["src/runtimes/worker-node.ts", "src/runtimes/worker-web.ts"];
  const workers = await bundle(scripts, "dist", { ...shared, external: ["node:*"] });
  chmodSync("dist/cli.js", 0o755);
  writeFileSync("dist/LICENSES.txt", licenses(metafile));
  return {
    written: [metafile, workers].flatMap(({ outputs }) => Object.keys(outputs)).concat("dist/LICENSES.txt"),
    exportsOf: (entry) => metafile.outputs[`dist/${entry}.js`].exports,
  };
}

/** Bundles the entry that holds the core itself. @returns the paths written */
async function bundleEmbedded() {
  const bytes = {
    name: "bytes",
    setup(bundler) {
      bundler.onResolve({ filter: /\.wasm\?bytes$/ }, ({ path, resolveDir }) => ({
        path: `${resolveDir}/${path.replace("?bytes", "")}`,
        namespace: "bytes",
      }));
      bundler.onLoad({ filter: /./, namespace: "bytes" }, ({ path }) => ({
        contents: readFileSync(path),
        loader: "binary",
      }));
    },
  };
  const { outputs } = await bundle(["src/runtimes/core-embedded.ts"], "dist", {
    target: "es2022",
    platform: "neutral",
    plugins: [bytes],
  });
  return Object.keys(outputs);
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
