/** The entry for Cloudflare Workers, where bytes cannot be compiled: the builds of the core are imported as modules. */
import { createLoadCore } from "../core/default-core.ts";
import type { Flavour } from "../core/module.ts";
import { createLoadModel } from "../session/load.ts";
import relaxed from "./core.relaxed.wasm";
import baseline from "./core.wasm";

export * from "../index.ts";

const moduleOf = (flavour: Flavour) => (flavour === "relaxed" ? relaxed : baseline);

/** Makes the core ready for tensors; the first tensor does so too. */
export const loadCore = createLoadCore({ now: moduleOf });

/** Loads a model from a URL (a folder or a .gguf file), a Blob, bytes, a stream or a record of files. */
export const loadModel = createLoadModel({
  loadCore: async (flavour) => moduleOf(flavour),
  hub: async (name, options) => (await import("../hub/web.ts")).openModelFromWeb(name, options, undefined),
});
