/** Writes docs/presses.md: `npm run docs:presses`. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

mkdirSync(".test", { recursive: true });
await build({
  entryPoints: ["test/press/agreement.ts"],
  outfile: ".test/agreement.mjs",
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  packages: "external",
});
cpSync("dist/core.wasm", ".test/core.wasm");
cpSync("dist/core.relaxed.wasm", ".test/core.relaxed.wasm");
writeFileSync("docs/presses.md", execFileSync(process.execPath, [".test/agreement.mjs"]));
