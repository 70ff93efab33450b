/** Cores in both builds, seeded numbers and comparisons for the tests of the kernels. */
import { readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import { Core } from "../../src/core/core.ts";
import { bestFlavour } from "../../src/core/module.ts";
import { seededRandom } from "../formats/files.ts";

/** Half a unit in the last place of 1: what rounding to f32 costs at most, relatively. */
export const ROUNDING = 2 ** -24;

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

/** Source of f32 values, roughly normal, standard deviation `scale`. */
export function normals(seed: number): (count: number, scale?: number) => Float32Array {
  const random = seededRandom(seed);
  return (count, scale = 1) =>
    Float32Array.from({ length: count }, () => {
      let sum = -6;
      for (let i = 0; i < 12; i++) sum += random();
      return sum * scale;
    });
}

/** Whole numbers from 0 to below `limit`. */
export function integers(seed: number): (limit: number) => number {
  const random = seededRandom(seed);
  return (limit) => Math.floor(random() * limit);
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

/** Asserts that every value lies within its tolerance of the expected one. */
export function assertNear(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: (index: number) => number,
  name = "",
): void {
  assert.is(actual.length, expected.length, `${name}: length`);
  for (let index = 0; index < expected.length; index++) {
    const difference = Math.abs(actual[index]! - expected[index]!);
    if (!(difference <= tolerance(index))) {
      assert.unreachable(
        `${name}: at ${index} ${actual[index]} instead of ${expected[index]}, off by ${difference}, allowed ${tolerance(index)}`,
      );
    }
  }
}

/** Asserts that numbers, or lists of them in lists of any depth, are the same bit for bit; says only where they first differ. */
export function assertSame(actual: unknown, expected: unknown, name = ""): void {
  if (typeof expected === "number") {
    if (!Object.is(actual, expected)) assert.unreachable(`${name}: ${actual} instead of ${expected}`);
    return;
  }
  const [one, other] = [actual as ArrayLike<unknown>, expected as ArrayLike<unknown>];
  assert.is(one.length, other.length, `${name}: length`);
  for (let index = 0; index < other.length; index++) {
    if (!Object.is(one[index], other[index])) assertSame(one[index], other[index], `${name} [${index}]`);
  }
}

/** The largest |value|. */
export function largestMagnitude(values: ArrayLike<number>): number {
  let largest = 0;
  for (let index = 0; index < values.length; index++) largest = Math.max(largest, Math.abs(values[index]!));
  return largest;
}
