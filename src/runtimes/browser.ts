/** The entry for browsers and bundlers. */
import { createLoadModel } from "../session/load.ts";
import { fetchCore } from "./core-browser.ts";
import { startWorker } from "./start-worker-web.ts";

export * from "../index.ts";
export { loadCore } from "./core-browser.ts";

/** Loads a model from a URL (a folder or a .gguf file), a Blob, bytes, a stream or a record of files. */
export const loadModel = createLoadModel({
  loadCore: fetchCore,
  threads: {
    available: () => navigator.hardwareConcurrency,
    start: startWorker,
    hindrance: () =>
      globalThis.crossOriginIsolated
        ? undefined
        : "threads share memory, which a page may do only when its server sends the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp",
  },
  // Pages that are not secure have no storage.
  hub: async (name, options) =>
    (await import("../hub/web.ts")).openModelFromWeb(name, options, globalThis.caches as CacheStorage | undefined),
});
