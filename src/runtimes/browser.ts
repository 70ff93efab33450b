/** The entry for browsers and bundlers: a literal `new URL` for each file, so that bundlers see them. */
import { createLoadCore } from "../core/default-core.ts";
import type { Flavour } from "../core/module.ts";
import { UnsupportedError } from "../errors.ts";
import { createLoadModel } from "../session/load.ts";
import { startWorker } from "./start-worker-web.ts";

export * from "../index.ts";

const urls: Record<Flavour, URL> = {
  baseline: new URL("./core.wasm", import.meta.url),
  relaxed: new URL("./core.relaxed.wasm", import.meta.url),
  "baseline-shared": new URL("./core.shared.wasm", import.meta.url),
  "relaxed-shared": new URL("./core.relaxed.shared.wasm", import.meta.url),
};

async function fetchCore(flavour: Flavour): Promise<WebAssembly.Module> {
  const response = await fetch(urls[flavour]);
  if (!response.ok) throw new UnsupportedError(`${urls[flavour]}: ${response.status} ${response.statusText}`);
  // Not compileStreaming: servers get the MIME type wrong.
  return WebAssembly.compile(await response.arrayBuffer());
}

/** Makes the core ready for tensors: to be awaited before the first one. */
export const loadCore = createLoadCore({ later: fetchCore });

/** Loads a model from a URL (a folder or a .gguf file), a Blob, bytes, a stream or a record of files. */
export const loadModel = createLoadModel({
  loadCore: fetchCore,
  // Memory is shared only on pages that are isolated from others (COOP and COEP headers).
  threads: {
    available: () => (globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1),
    start: startWorker,
  },
  // Pages that are not secure have no storage.
  hub: async (name, options) =>
    (await import("../hub/web.ts")).openModelFromWeb(name, options, globalThis.caches as CacheStorage | undefined),
});
