/** The entry for Vercel's edge functions: `?module` is that platform's spelling of a compiled module. */
import { createLoadCore } from "../core/default-core.ts";
import { createLoadModel } from "../session/load.ts";
import baseline from "./core.wasm?module";

export * from "../index.ts";

/** Makes the core ready for tensors; the first tensor does so too. */
export const loadCore = createLoadCore({ now: () => baseline });

/** Loads a model from a URL (a folder or a .gguf file), a Blob, bytes, a stream or a record of files. */
export const loadModel = createLoadModel({
  loadCore: async () => baseline,
  hub: async (name, options) => (await import("../hub/web.ts")).openModelFromWeb(name, options, undefined),
});
