/** What is published: what it holds and weighs, its types under every setting, and the README's lines in a fresh folder. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import process from "node:process";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import * as assert from "uvu/assert";
import { app, install, run, tarballs, test, tools } from "./support.mjs";

const [siskin, nano] = tarballs;

test("nothing is installed by scripts, and npm has no warnings", () => {
  const { said } = install("fresh");
  assert.not.match(said, /warn/i);
});

test("all that the README, the docs and the examples link to is packed", () => {
  const root = join(app, "node_modules");
  for (const { name, files } of tarballs) {
    for (const file of files.filter((path) => path.endsWith(".md"))) {
      const text = readFileSync(join(root, name, file), "utf8");
      for (const [, link] of text.matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)) {
        assert.ok(existsSync(join(root, name, dirname(file), link)), `${name}/${file} links to ${link}`);
      }
    }
  }
});

/** The bytes behind gzip of a line of a user's, bundled and minified for browsers: of what is loaded at once, and of what is later. */
async function weigh(contents) {
  const { metafile, outputFiles } = await build({
    stdin: { contents, resolveDir: app },
    bundle: true,
    minify: true,
    splitting: true,
    outdir: "bundle",
    write: false,
    metafile: true,
    format: "esm",
    logLevel: "silent",
  });
  const atOnce = new Set(["bundle/stdin.js"]);
  for (const path of atOnce) {
    for (const { path: imported, kind, external } of metafile.outputs[path].imports) {
      if (!external && kind === "import-statement") atOnce.add(imported);
    }
  }
  const sum = (wanted) =>
    outputFiles
      .filter(({ path }) => atOnce.has(`bundle/${basename(path)}`) === wanted)
      .reduce((total, { contents }) => total + gzipSync(contents).length, 0);
  return { atOnce: sum(true), later: sum(false) };
}

test("sizes", async () => {
  const wasm = (name) => gzipSync(readFileSync(join(app, `node_modules/siskin/dist/${name}`))).length;
  const script = await weigh(`export * from "siskin"`);
  const tensor = await weigh(`export * from "siskin/tensor"`);
  const worker = await weigh(`export * from "siskin/worker"`);
  const embedded = await weigh(`export * from "siskin/core-embedded"`);
  const core = Math.max(wasm("core.wasm"), wasm("core.relaxed.wasm"));
  const limits = [
    ["siskin, all of it bundled and minified", script.atOnce, 128 * 1024],
    ["what it loads when it is needed: the Hub, rare types of weights", script.later, 18 * 1024],
    ["siskin/worker, without the worker itself", worker.atOnce, 6000],
    ["one build of the core", core, 16 * 1024],
    ["siskin/tensor with the core", tensor.atOnce + core, 30_000],
    ["siskin/core-embedded, both builds", embedded.atOnce, 45_000],
    [
      "a worker thread's script",
      gzipSync(readFileSync(join(app, "node_modules/siskin/dist/worker-web.js"))).length,
      3000,
    ],
    ["the tarball of siskin", siskin.size, 1_600_000],
    ["the tarball of siskin-nano", nano.size, 17_000_000],
  ];
  console.log("| what | bytes (gzip) | at most |\n|---|--:|--:|");
  const number = (value) => value.toLocaleString("en-US");
  for (const [what, bytes, most] of limits) console.log(`| ${what} | ${number(bytes)} | ${number(most)} |`);
  for (const [what, bytes, most] of limits) assert.ok(bytes <= most, `${what}: ${bytes} bytes, and at most ${most}`);
});

for (const [version, compiler] of [
  ["5.9", tools("typescript-5.9/bin/tsc")],
  ["6.0", resolve("node_modules/typescript/bin/tsc")],
]) {
  for (const moduleResolution of ["bundler", "nodenext"]) {
    for (const lib of ["es2022", "es2022,dom"]) {
      test(`types: TypeScript ${version}, ${moduleResolution}, ${lib}`, async () => {
        const module = moduleResolution === "bundler" ? "esnext" : "nodenext";
        const settings = { module, moduleResolution, lib: lib.split(","), types: [], target: "es2022" };
        const compilerOptions = { ...settings, strict: true, noEmit: true, skipLibCheck: false };
        writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions, files: ["types.ts"] }));
        await run(app, process.execPath, compiler, "-p", "tsconfig.json");
      });
    }
  }
}

test("publint", async () => {
  for (const { path } of tarballs) {
    const said = await run(app, process.execPath, tools("publint/src/cli.js"), path, "--strict");
    assert.match(said, /All good/);
  }
});

test("are the types wrong?", async () => {
  for (const { path } of tarballs) {
    const words = ["--profile", "esm-only", "--no-color", "--no-emoji"];
    // What is no script has no types that a runtime could be wrong about.
    const files = ["core.wasm", "core.relaxed.wasm", "nano.gguf"];
    await run(
      app,
      process.execPath,
      tools("@arethetypeswrong/cli/dist/index.js"),
      path,
      ...words,
      "--exclude-entrypoints",
      ...files,
    );
  }
});

test("the README's twenty lines, pasted", async () => {
  const readme = readFileSync(join(app, "node_modules/siskin/README.md"), "utf8");
  const [, code] = /```js\n(.*?)```/s.exec(readme);
  writeFileSync(join(app, "readme.mjs"), code);
  assert.match(await run(app, process.execPath, "readme.mjs"), /Mabel Chandra/);
});

test("a folder that does not exist is said not to", async () => {
  writeFileSync(
    join(app, "no-folder.mjs"),
    `import { loadModel } from "siskin"; console.log(String(await loadModel("models/nano").catch((error) => error)));`,
  );
  const said = await run(app, process.execPath, "no-folder.mjs");
  assert.match(said, /^UnsupportedError: models\/nano: there is no such file or folder/);
});

test("the command line finds siskin-nano, and says what is missing without it", async () => {
  const cli = "node_modules/siskin/dist/cli.js";
  const words = ["ask", "Who?", "--document", "node_modules/siskin/README.md", "--budget", "64", "--json"];
  assert.match(await run(app, process.execPath, cli, ...words), /"answers"/);
  const { app: alone } = install("alone");
  await run(alone, "npm", "uninstall", "siskin-nano", "--no-audit", "--no-fund");
  const error = await run(alone, process.execPath, cli, ...words).catch((reason) => reason);
  assert.match(error.message, /--model.*npm install siskin-nano/s);
});

test("a folder of the tarball holds nothing that was left behind by an earlier build", () => {
  const scripts = readdirSync(join(app, "node_modules/siskin/dist")).filter((name) => name.endsWith(".js"));
  const named = scripts.flatMap((name) => [
    ...readFileSync(join(app, "node_modules/siskin/dist", name), "utf8").matchAll(/["']\.\/([\w.-]+\.js)["']/g),
  ]);
  const reached = new Set([...named.map(([, name]) => name), ...entries()]);
  for (const name of scripts) assert.ok(reached.has(name), name);
});

/** The scripts that package.json names. */
function entries() {
  const { exports, bin } = JSON.parse(readFileSync(join(app, "node_modules/siskin/package.json"), "utf8"));
  return [...JSON.stringify([exports, bin]).matchAll(/dist\/([\w.-]+\.js)/g)].map(([, name]) => name);
}
