/** Starts worker threads in Node, Deno and Bun. */
import { versions } from "node:process";
import { Worker } from "node:worker_threads";
import type { StartWorker } from "../core/team.ts";

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
      resolve({ terminate: () => void worker.terminate(), isAlive: aliveness(worker) });
    });
    worker.once("error", die);
    worker.once("exit", (code) => die(new Error(`The worker ended with code ${code}`)));
  });

/**
 * How to ask whether a worker lives while this thread is blocked and hears no event. Node gives the idle time of a
 * worker that has ended, however it did, as -1, and no time at all once its end has been heard of; Deno has nothing to
 * ask, and Bun a method that warns that it does nothing.
 */
function aliveness(worker: Worker): (() => boolean) | undefined {
  if (versions.bun !== undefined || worker.performance?.eventLoopUtilization === undefined) return undefined;
  const isAlive = () => {
    const { idle, active } = worker.performance.eventLoopUtilization();
    return idle >= 0 && active > 0;
  };
  // The first answer must come while it lives: Node then keeps when the worker's loop began.
  return isAlive() ? isAlive : undefined;
}
