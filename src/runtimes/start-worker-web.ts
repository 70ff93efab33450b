/** Starts workers in browsers. */
import type { StartWorker } from "../core/team.ts";
import { located } from "./located.ts";

export const startWorker: StartWorker = (task, onDeath) =>
  new Promise((resolve, reject) => {
    // Throws for a script of another origin; what a policy of the page's forbids, or is no script, becomes an event.
    const worker = makeWorker();
    worker.addEventListener("message", () => resolve({ terminate: () => worker.terminate() }), { once: true });
    worker.addEventListener("error", (event) => {
      const cause = new Error(event.message || "no worker can run the script worker-web.js");
      onDeath(cause);
      worker.terminate();
      reject(cause);
    });
    worker.postMessage(task);
  });

function makeWorker(): Worker {
  const here = new URL(import.meta.url);
  const there = located(here);
  if (there.href !== here.href) return new Worker(new URL("worker-web.js", there), { type: "module" });
  // Written out in full, so that bundlers see the worker's file.
  return new Worker(new URL("./worker-web.js", import.meta.url), { type: "module" });
}
