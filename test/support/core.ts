/** Cores in both builds, and values in their memory. */
import { readFileSync } from "node:fs";
import { Core } from "../../src/core/core.ts";
import { bestFlavour } from "../../src/core/module.ts";

const files = { baseline: "dist/core.wasm", relaxed: "dist/core.relaxed.wasm" };

/** The builds that this runtime can run. */
export const builds: readonly (keyof typeof files)[] =
  bestFlavour(false) === "relaxed" ? ["baseline", "relaxed"] : ["baseline"];

const modules = new Map<string, WebAssembly.Module>();

/** A core with a memory of its own. */
export function makeCore(build: keyof typeof files = "baseline"): Core {
  const module = modules.get(build) ?? new WebAssembly.Module(readFileSync(files[build]));
  modules.set(build, module);
  return new Core(module);
}

/** Copies values into the core's memory. @returns their address */
export function place(core: Core, values: Float32Array | Int32Array | Uint32Array): number {
  const pointer = core.allocate(values.byteLength);
  core.bytes(pointer, values.byteLength).set(new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
  return pointer;
}

/** Room for `count` f32, with a guard behind it that `intact` looks at. */
export function guarded(core: Core, count: number): { pointer: number; intact: () => boolean } {
  const pointer = core.allocate((count + 16) * 4);
  core.f32(pointer, count + 16).fill(-12345);
  return { pointer, intact: () => core.f32(pointer + count * 4, 16).every((value) => value === -12345) };
}
