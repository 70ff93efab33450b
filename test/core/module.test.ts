/** What is taken for a core and what is refused, and memories that cannot be had. */
import { readFileSync } from "node:fs";
import { createContext, runInContext } from "node:vm";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Core } from "../../src/core/core.ts";
import { createLoadCore, defaultCore } from "../../src/core/default-core.ts";
import { ArgumentError, MemoryError, UnsupportedError } from "../../src/errors.ts";
import { makeCore } from "../support/core.ts";

const test = suite("module");
const bytes = (name: string) => new Uint8Array(readFileSync(`dist/${name}.wasm`));
const refuses = (core: unknown, message: RegExp, shared = false) =>
  assert.throws(
    () => new Core(core as WebAssembly.Module, shared),
    (error: unknown) => error instanceof ArgumentError && message.test(error.message),
  );

test("what is no module", () => {
  const instance = new WebAssembly.Instance(empty());
  for (const core of [
    undefined,
    null,
    {},
    [],
    1,
    "dist/core.wasm",
    bytes("core"),
    instance,
    Promise.resolve(empty()),
  ]) {
    refuses(core, /should be a WebAssembly.Module/);
  }
});

test("modules that are no core, and what they lack", () => {
  refuses(empty(), /lacks the function heapBase/);
  // (memory (export "heapBase") 1): the name alone is not enough.
  const memory = [5, 3, 1, 0, 1, 7, 12, 1, 8, ...new TextEncoder().encode("heapBase"), 2, 0];
  refuses(new WebAssembly.Module(Uint8Array.of(...header, ...memory)), /lacks the function heapBase/);
});

test("a build for the other kind of memory", () => {
  refuses(new WebAssembly.Module(bytes("core.shared")), /does not fit its memory/);
  refuses(new WebAssembly.Module(bytes("core")), /does not fit its memory/, true);
});

test("a module of another realm serves", () => {
  const context = createContext({ bytes: bytes("core") });
  const module = runInContext("new WebAssembly.Module(bytes)", context);
  assert.not(module instanceof WebAssembly.Module);
  assert.is(new Core(module).kernels.heapBase(), makeCore().kernels.heapBase());
});

test("a core that cannot be loaded is an error of this package, with its cause", async () => {
  const cause = new Error("ENOENT: dist/core.wasm");
  const failing = () => {
    throw cause;
  };
  const tells = (error: unknown) =>
    error instanceof UnsupportedError && error.cause === cause && /ENOENT/.test(error.message);
  const loadCore = createLoadCore({ now: failing });
  assert.throws(defaultCore, tells);
  assert.ok(tells(await loadCore().catch((error) => error)));
  const loadLater = createLoadCore({ later: async () => failing() });
  assert.ok(tells(await loadLater().catch((error) => error)));
  createLoadCore({ now: () => ({}) as WebAssembly.Module });
  assert.throws(defaultCore, (error: unknown) => error instanceof ArgumentError);
});

test("no address space for another memory", () => {
  const { Memory } = WebAssembly;
  const module = new WebAssembly.Module(bytes("core"));
  WebAssembly.Memory = class {
    constructor() {
      throw new RangeError("WebAssembly.Memory(): could not allocate memory");
    }
  } as unknown as typeof Memory;
  try {
    assert.throws(
      () => new Core(module),
      (error: unknown) => error instanceof MemoryError && error.cause instanceof RangeError,
    );
  } finally {
    WebAssembly.Memory = Memory;
  }
});

const header = [0, 97, 115, 109, 1, 0, 0, 0];
function empty(): WebAssembly.Module {
  return new WebAssembly.Module(Uint8Array.of(...header));
}

test.run();
