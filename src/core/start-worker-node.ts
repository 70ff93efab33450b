/** Starts worker threads in Node, Deno and Bun. */
import { Worker } from "node:worker_threads";
import type { StartWorker } from "./team.ts";

/** The worker does not keep the process alive. */
export const startWorker: StartWorker = (workerData, onDeath) =>
  new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./worker-node.js", import.meta.url), { workerData });
    const die = (cause: unknown) => {
      onDeath(cause);
      reject(cause);
    };
    worker.once("message", () => {
      worker.unref();
      resolve({ terminate: () => void worker.terminate() });
    });
    worker.once("error", die);
    worker.once("exit", (code) => die(new Error(`The worker ended with code ${code}`)));
  });
