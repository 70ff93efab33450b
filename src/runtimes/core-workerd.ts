/** The core for Cloudflare Workers, where bytes cannot be compiled: its builds are imported as modules. */
import { createLoadCore } from "../core/default-core.ts";
import type { Flavour } from "../core/module.ts";
import relaxed from "./core.relaxed.wasm";
import baseline from "./core.wasm";

/** There are no threads, so no build for shared memory. */
export const moduleOf = (flavour: Flavour) => (flavour === "relaxed" ? relaxed : baseline);

/** Makes the core ready for tensors; the first tensor does so too. */
export const loadCore = createLoadCore({ now: moduleOf });
