/** The entry for Vercel's edge functions. */
import { createLoadModel } from "../session/load.ts";
import { baseline } from "./core-edge-light.ts";

export * from "../index.ts";
export { loadCore } from "./core-edge-light.ts";

/** Loads a model from a URL (a folder or a .gguf file), a Blob, bytes, a stream or a record of files. */
export const loadModel = createLoadModel({
  loadCore: async () => baseline,
  hub: async (name, options) => (await import("../hub/web.ts")).openModelFromWeb(name, options, undefined),
});
