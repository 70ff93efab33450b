/** Builds dist/: the core in its flavours, one bundle for each kind of runtime, the command line, and the types. */
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
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

// One call for all entries: what they share, nearly everything, is one chunk, so that the package holds one copy.
const { metafile } = await build({
  entryPoints: {
    node: "src/node.ts",
    browser: "src/browser.ts",
    workerd: "src/workerd.ts",
    "edge-light": "src/edge-light.ts",
    cli: "src/cli/main.ts",
  },
  outdir: "dist",
  bundle: true,
  splitting: true,
  chunkNames: "siskin-[hash]",
  format: "esm",
  target: "es2022",
  platform: "neutral",
  conditions: ["import"],
  mainFields: ["module", "main"],
  external: ["node:*", "commander", "*.wasm", "*.wasm?module"],
  // The package's main entry imports node:fs, which browsers and edge isolates lack.
  alias: { "@huggingface/gguf": "./node_modules/@huggingface/gguf/dist/browser/index.mjs" },
  plugins: [noSideEffects],
  sourcemap: true,
  metafile: true,
  logLevel: "warning",
});
chmodSync("dist/cli.js", 0o755);
writeFileSync("dist/LICENSES.txt", licenses(metafile));

// Chunks of earlier builds have other names and would be published with this one's.
const written = new Set([
  ...Object.keys(metafile.outputs),
  ...Object.values(targets).map(({ outFile }) => outFile),
  "dist/LICENSES.txt",
]);
for (const name of readdirSync("dist")) if (!written.has(`dist/${name}`)) rmSync(`dist/${name}`, { recursive: true });
execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.json"], { stdio: "inherit" });

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
