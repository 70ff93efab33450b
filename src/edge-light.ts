/** The entry for Vercel's edge functions: `?module` is that platform's spelling of a compiled module. */
import baseline from "./core.wasm?module";
import { createLoadModel } from "./model/load.ts";

export * from "./index.ts";

/** Loads a model from a URL (a folder or a .gguf file), a Blob, bytes, a stream or a record of files. */
export const loadModel = createLoadModel({ loadCore: async () => baseline });
