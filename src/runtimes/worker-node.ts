/** A worker thread of Node, Deno or Bun: serves one core until it is ended. */
import { parentPort, workerData } from "node:worker_threads";
import { serve } from "../core/serve.ts";

serve(workerData, () => parentPort!.postMessage("ready"));
