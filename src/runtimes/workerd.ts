/** The entry for Cloudflare Workers. */
import { createLoadModel } from "../session/load.ts";
import { moduleOf } from "./core-workerd.ts";

export * from "../index.ts";
export { loadCore } from "./core-workerd.ts";

/** Loads a model from a URL (a folder or a .gguf file), a Blob, bytes, a stream or a record of files. */
export const loadModel = createLoadModel({
  loadCore: async (flavour) => moduleOf(flavour),
  hub: async (name, options) => (await import("../hub/web.ts")).openModelFromWeb(name, options, undefined),
});
