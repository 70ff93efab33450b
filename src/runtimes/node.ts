/** The entry for Node, Deno and Bun. */
import { availableParallelism } from "node:os";
import { fileSource, folderFiles, kindOfPath, siblingFiles } from "../formats/file-source.ts";
import { createLoadModel } from "../session/load.ts";
import { readCore } from "./core-node.ts";
import { startWorker } from "./start-worker-node.ts";

export * from "../index.ts";
export { loadCore } from "./core-node.ts";

/** Loads a model from a folder, a .gguf file, a URL, a Blob, bytes, a stream or a record of files. */
export const loadModel = createLoadModel({
  loadCore: readCore,
  threads: { available: availableParallelism, start: startWorker },
  files: { kind: kindOfPath, folder: folderFiles, file: fileSource, siblings: siblingFiles },
  hub: async (name, options) => (await import("../hub/node.ts")).openModelOnDisk(name, options),
});
