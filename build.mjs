/** Builds dist/: the core in its flavours, one bundle for each kind of runtime, the command line, and the types. */
import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync } from "node:fs";
import asc from "assemblyscript/asc";
import { build } from "esbuild";

const { targets } = JSON.parse(readFileSync("asconfig.json", "utf8"));
for (const target of Object.keys(targets)) {
  const { error, stderr } = await asc.main(["--config", "asconfig.json", "--target", target]);
  if (error) {
    console.error(stderr.toString());
    process.exit(1);
  }
}

/** @huggingface/gguf names a package of 230 KB for its types' sake; told that it has no side effects, esbuild drops it. */
const noSideEffects = {
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

const shared = {
  outdir: "dist",
  bundle: true,
  format: "esm",
  target: "es2022",
  sourcemap: true,
  // The package's main entry imports node:fs, which browsers and edge isolates lack.
  alias: { "@huggingface/gguf": "./node_modules/@huggingface/gguf/dist/browser/index.mjs" },
  plugins: [noSideEffects],
  logLevel: "warning",
};
await build({
  ...shared,
  entryPoints: { browser: "src/browser.ts", workerd: "src/workerd.ts", "edge-light": "src/edge-light.ts" },
  platform: "neutral",
  external: ["*.wasm", "*.wasm?module"],
  mainFields: ["module", "main"],
  conditions: ["import"],
});
// The command line and the library share a chunk, so that the package holds one copy.
await build({
  ...shared,
  entryPoints: { node: "src/node.ts", cli: "src/cli/main.ts" },
  platform: "node",
  splitting: true,
  chunkNames: "node-[hash]",
  external: ["commander"],
});
chmodSync("dist/cli.js", 0o755);
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"], { stdio: "inherit" });
