/** The script of a worker thread of Node, Deno or Bun that an engine runs in. */
import { parentPort } from "node:worker_threads";
import { loadModel } from "../runtimes/node.ts";
import { serveEngine } from "./host.ts";

const hear = serveEngine(
  { post: (message, transfer) => parentPort!.postMessage(message, transfer as never) },
  loadModel,
);
parentPort!.on("message", hear);
