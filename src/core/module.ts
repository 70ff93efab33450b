/** Which build of the core a runtime can run, and an instance of it on a memory of its own. */
import { ArgumentError, SiskinError, UnsupportedError } from "../errors.ts";
import { type Kernels, kernelNames } from "./kernels.ts";

/** The builds of the core: with or without relaxed SIMD, on a memory of one thread or a shared one. */
export type Flavour = "baseline" | "relaxed" | "baseline-shared" | "relaxed-shared";

/** A module of one function on v128 that uses `i8x16.popcnt`: validates where SIMD does. */
const simdProbe = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);
/** (func (param v128 v128 v128) (result v128) f32x4.relaxed_madd) */
const relaxedProbe = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 8, 1, 96, 3, 123, 123, 123, 1, 123, 3, 2, 1, 0, 10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2,
  253, 133, 2, 11,
]);

/**
 * The best flavour for this runtime, found by asking it, never by its name.
 * @throws UnsupportedError where WebAssembly has no SIMD
 */
export function bestFlavour(shared: boolean): Flavour {
  if (!WebAssembly.validate(simdProbe)) throw new UnsupportedError("This runtime has no WebAssembly SIMD (128 bit)");
  const kind = WebAssembly.validate(relaxedProbe) ? "relaxed" : "baseline";
  return shared ? `${kind}-shared` : kind;
}

/** What thread 0 asks while it waits for the others, the `waits`th time at one barrier: whether they live. */
export type WorkersLive = (waits: number) => boolean;

/**
 * Puts a compiled module on a memory. Not by AssemblyScript's loader: its wrappers cost 10 ns a call, and it takes a
 * module of another realm (vm contexts, edge sandboxes) for bytes.
 * @throws ArgumentError for what is no module, lacks a function of the core, or wants another kind of memory
 */
export function instantiate(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  workersLive: WorkersLive = () => true,
): Kernels {
  checkModule(module);
  const imports = { env: { memory, workersLive } };
  try {
    return new WebAssembly.Instance(module, imports).exports as unknown as Kernels;
  } catch (cause) {
    throw new ArgumentError(`The core's module does not fit its memory: ${cause}`, { cause });
  }
}

function checkModule(module: unknown): void {
  let exports: WebAssembly.ModuleExportDescriptor[];
  try {
    // Throws for anything but a module, of whatever realm.
    exports = WebAssembly.Module.exports(module as WebAssembly.Module);
  } catch (cause) {
    throw new ArgumentError("The core should be a WebAssembly.Module", { cause });
  }
  const functions = new Set(exports.filter(({ kind }) => kind === "function").map(({ name }) => name));
  const missing = kernelNames.find((name) => !functions.has(name));
  if (missing !== undefined) {
    throw new ArgumentError(`The module is not this version's core: it lacks the function ${missing}`);
  }
}

/** Why a core could not be had, as an error of this package. */
export function loadError(cause: unknown): Error {
  return cause instanceof SiskinError ? cause : new UnsupportedError(`The core cannot be loaded: ${cause}`, { cause });
}
