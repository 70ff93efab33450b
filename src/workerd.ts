/** The entry for Cloudflare Workers, where bytes cannot be compiled: the builds of the core are imported as modules. */
import baseline from "./core.wasm";
import relaxed from "./core.relaxed.wasm";
import { createLoadModel } from "./model/load.ts";

export * from "./index.ts";

/** Loads a model from a URL (a folder or a .gguf file), a Blob, bytes, a stream or a record of files. */
export const loadModel = createLoadModel({
  loadCore: async (flavour) => (flavour === "relaxed" ? relaxed : baseline),
});
