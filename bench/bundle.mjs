/** Bundles benchmarks with the sources they use, and puts beside them what they look for there. */
import { cpSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { resolve } from "node:path";
import asc from "assemblyscript/asc";
import { build } from "esbuild";

/** Bundles the entries to `folder`, with the core and the workers' script. */
export async function bundle(entryPoints, folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  await build({
    entryPoints,
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    logLevel: "warning",
  });
  for (const name of readdirSync("dist")) {
    if (/\.wasm$|^worker-node\.js$/.test(name)) cpSync(`dist/${name}`, `${folder}/${name}`);
  }
}

/** Puts the limits' loops into `folder`, for what is measured against them. */
export async function addLimits(folder) {
  await Promise.all([
    compileLimits([], `${folder}/limits.wasm`),
    compileLimits(["relaxed-simd"], `${folder}/limits.relaxed.wasm`),
  ]);
}

/** Compiles the limits' loops; their folder has no asconfig.json, which asc would merge into this call. */
async function compileLimits(features, path) {
  const enabled = ["simd", ...features].flatMap((feature) => ["--enable", feature]);
  const options = ["--runtime", "stub", "-O3", "--noAssert", "--converge", "--importMemory"];
  const target = ["--baseDir", "bench/assembly", "--outFile", resolve(path)];
  const { error, stderr } = await asc.main(["limits.ts", ...target, ...options, ...enabled]);
  if (error) throw new Error(`bench/assembly/limits.ts does not compile\n${stderr}`);
}
