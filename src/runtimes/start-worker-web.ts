/** Starts workers in browsers. */
import type { StartWorker } from "../core/team.ts";

export const startWorker: StartWorker = (task, onDeath) =>
  new Promise((resolve, reject) => {
    // Written out in full, so that bundlers see the worker's file.
    const worker = new Worker(new URL("./worker-web.js", import.meta.url), { type: "module" });
    worker.addEventListener("message", () => resolve({ terminate: () => worker.terminate() }), { once: true });
    worker.addEventListener("error", (event) => {
      onDeath(event);
      reject(event);
    });
    worker.postMessage(task);
  });
