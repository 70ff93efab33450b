/** Compiles the loops that measure what the machine can do at most. */
import { resolve } from "node:path";
import asc from "assemblyscript/asc";

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
