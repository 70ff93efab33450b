/** The entry for Node, Deno and Bun: the core's file stands beside this one. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { createLoadCore } from "../core/default-core.ts";
import type { Flavour } from "../core/module.ts";
import { fileSource, folderFiles, kindOfPath, siblingFiles } from "../formats/file-source.ts";
import { createLoadModel } from "../session/load.ts";
import { startWorker } from "./start-worker-node.ts";

export * from "../index.ts";

const urls: Record<Flavour, URL> = {
  baseline: new URL("./core.wasm", import.meta.url),
  relaxed: new URL("./core.relaxed.wasm", import.meta.url),
  "baseline-shared": new URL("./core.shared.wasm", import.meta.url),
  "relaxed-shared": new URL("./core.relaxed.shared.wasm", import.meta.url),
};

/** Makes the core ready for tensors; the first tensor does so too. */
export const loadCore = createLoadCore({
  now: (flavour) => new WebAssembly.Module(new Uint8Array(readFileSync(urls[flavour]))),
});

/** Loads a model from a folder, a .gguf file, a URL, a Blob, bytes, a stream or a record of files. */
export const loadModel = createLoadModel({
  loadCore: async (flavour) => WebAssembly.compile(new Uint8Array(await readFile(urls[flavour]))),
  threads: { available: availableParallelism, start: startWorker },
  files: { kind: kindOfPath, folder: folderFiles, file: fileSource, siblings: siblingFiles },
  hub: async (name, options) => (await import("../hub/node.ts")).openModelOnDisk(name, options),
});
