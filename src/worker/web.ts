/** `siskin/worker` in browsers. */
import { createLoadModel, type EngineWorker } from "./client.ts";

export * from "../errors.ts";
export type { PressChoice, WorkerModel, WorkerSession } from "./client.ts";
export const loadModel = createLoadModel(start);

function start(): EngineWorker {
  // Written out in full, so that bundlers see the worker's file.
  const worker = new Worker(new URL("./engine-worker-web.js", import.meta.url), { type: "module" });
  return {
    post: (message, transfer) => worker.postMessage(message, transfer),
    listen: (hear, die) => {
      worker.addEventListener("message", ({ data }) => hear(data));
      worker.addEventListener("messageerror", () => die(new Error("a message could not be read")));
      worker.addEventListener("error", (event) => die(event.message || "its script cannot be loaded"));
    },
    terminate: () => worker.terminate(),
  };
}
