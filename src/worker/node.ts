/** `siskin/worker` in Node, Deno and Bun. */
import { Worker } from "node:worker_threads";
import { createLoadModel, type EngineWorker } from "./client.ts";

export * from "../errors.ts";
export type { PressChoice, WorkerModel, WorkerSession } from "./client.ts";
export const loadModel = createLoadModel(start);

function start(): EngineWorker {
  const worker = new Worker(new URL("./engine-worker-node.js", import.meta.url));
  return {
    post: (message, transfer) => worker.postMessage(message, transfer as never),
    listen: (hear, die) => {
      worker.on("message", hear);
      worker.on("messageerror", die);
      worker.on("error", die);
      worker.on("exit", (code) => die(new Error(`it ended with code ${code}`)));
    },
    terminate: () => void worker.terminate(),
    busy: (isBusy) => (isBusy ? worker.ref() : worker.unref()),
  };
}
