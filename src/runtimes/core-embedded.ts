/** The entry `siskin/core-embedded`: the core inside the script, for bundles of one file that have nothing beside them. */

import relaxed from "../../dist/core.relaxed.wasm?bytes";
import baseline from "../../dist/core.wasm?bytes";
import { bestFlavour } from "../core/module.ts";

/**
 * Compiles the best build of the core for this runtime, for one thread:
 * `loadModel(source, { core: await embeddedCore() })`, `loadCore({ core: await embeddedCore() })`.
 *
 * @throws UnsupportedError where WebAssembly has no SIMD
 */
export function embeddedCore(): Promise<WebAssembly.Module> {
  return WebAssembly.compile(bestFlavour(false) === "relaxed" ? relaxed : baseline);
}
