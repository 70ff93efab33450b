/** `siskin/worker` in browsers. */
import { located } from "../runtimes/located.ts";
import { createLoadModel, type EngineWorker } from "./client.ts";

export * from "../errors.ts";
export type { PressChoice, WorkerModel, WorkerSession } from "./client.ts";
export const loadModel = createLoadModel(start);

function start(): EngineWorker {
  const worker = makeWorker();
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

function makeWorker(): Worker {
  const here = new URL(import.meta.url);
  const there = located(here);
  if (there.href !== here.href) return new Worker(new URL("engine-worker-web.js", there), { type: "module" });
  // Written out in full, so that bundlers see the worker's file.
  return new Worker(new URL("./engine-worker-web.js", import.meta.url), { type: "module" });
}
