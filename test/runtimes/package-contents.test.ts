/** What npm would publish: everything that is needed, nothing else, and no Node module where there is no Node. */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("package");

const [pack] = JSON.parse(
  execFileSync("npm", ["pack", "--dry-run", "--json", "--ignore-scripts"], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
  }),
);
const files = new Set<string>(pack.files.map(({ path }: { path: string }) => path));

/** The paths that package.json's exports lead to. */
function targets(exports: unknown): string[] {
  return typeof exports === "string" ? [exports.slice(2)] : Object.values(exports as object).flatMap(targets);
}

test("holds what it says it does, and nothing else", () => {
  const { exports, bin } = JSON.parse(readFileSync("package.json", "utf8"));
  const needed = [
    "LICENSE",
    "README.md",
    "CHANGELOG.md",
    "docs/bundlers.md",
    "examples/ask.mjs",
    "dist/LICENSES.txt",
    ...targets(exports),
    ...targets(bin),
  ];
  for (const path of needed) assert.ok(files.has(path), `${path} is missing`);
  for (const path of files) {
    assert.match(
      path,
      /^(dist\/|docs\/|examples\/|models\/nano-2\/README\.md$|LICENSE$|(README|CHANGELOG|CONTRIBUTING)\.md$|package\.json$)/,
    );
    assert.not.match(path, /\btest\b/);
  }
});

test("every import within it leads to one of its files", () => {
  const scripts = [...files].filter((path) => path.startsWith("dist/") && /\.(js|d\.ts)$/.test(path));
  assert.ok(scripts.length > 10);
  for (const path of scripts) {
    for (const [, specifier] of readFileSync(path, "utf8").matchAll(/\b(?:from|import|URL)\b[ (]*"(\.[^"?]+)/g)) {
      const target = new URL(specifier!, `file:///${path}`).pathname.slice(1);
      assert.ok(
        files.has(path.endsWith(".d.ts") ? target.replace(/\.js$/, ".d.ts") : target),
        `${path} imports ${specifier}`,
      );
    }
  }
});

/**
 * Bundles a user's line of code for a runtime; the modules that the bundle still imports, and bytes behind gzip: of what is loaded at
 * once, and of what is loaded when a model of the Hub is asked for.
 */
async function bundle(contents: string, condition: string) {
  const { metafile, outputFiles } = await build({
    stdin: { contents, resolveDir: "." },
    bundle: true,
    minify: true,
    splitting: true,
    outdir: "bundle",
    write: false,
    metafile: true,
    format: "esm",
    platform: "browser",
    conditions: [condition],
    external: ["*.wasm", "*.wasm?module"],
    logLevel: "silent",
  });
  const atOnce = new Set(["bundle/stdin.js"]);
  const imports: string[] = [];
  for (const path of atOnce) {
    for (const { path: imported, kind, external } of metafile.outputs[path]!.imports) {
      if (external) imports.push(imported);
      else if (kind === "import-statement") atOnce.add(imported);
    }
  }
  let [bytes, laterBytes] = [0, 0];
  for (const { path, contents } of outputFiles) {
    const size = gzipSync(contents).length;
    if (atOnce.has(`bundle/${basename(path)}`)) bytes += size;
    else laterBytes += size;
  }
  return { imports: imports.sort(), bytes, laterBytes };
}

for (const [condition, modules] of Object.entries({
  browser: [],
  workerd: ["./core.relaxed.wasm", "./core.wasm"],
  "edge-light": ["./core.wasm?module"],
})) {
  test(`bundled for ${condition}: no Node, and less than 128 KiB at once, and 18 KiB when needed, when minified and gzipped`, async () => {
    // esbuild refuses node: modules for the platform "browser".
    const { imports, bytes, laterBytes } = await bundle(`export * from "siskin"`, condition);
    assert.equal(imports, modules);
    assert.ok(bytes < 128 * 1024, `${bytes} bytes`);
    assert.ok(laterBytes > 0 && laterBytes < 18 * 1024, `${laterBytes} bytes when needed`);
  });
}

test("no bundler may drop an entry of which only re-exports are used", () => {
  // Evaluating the entry is what tells tensors where the core is.
  assert.is(JSON.parse(readFileSync("package.json", "utf8")).sideEffects, true);
});

test("the licences of the packages in the bundles are with them", () => {
  const text = readFileSync("dist/LICENSES.txt", "utf8");
  const { version } = JSON.parse(readFileSync("node_modules/@noble/hashes/package.json", "utf8"));
  assert.ok(text.includes(`@noble/hashes ${version}`));
  assert.ok(text.includes(readFileSync("node_modules/@noble/hashes/LICENSE", "utf8")));
});

test.run();
