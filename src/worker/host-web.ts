/** The script of a browser's worker that an engine runs in. */
import { loadModel } from "../runtimes/browser.ts";
import { serveEngine } from "./host.ts";

const hear = serveEngine({ post: (message, transfer) => postMessage(message, { transfer }) }, loadModel);
addEventListener("message", ({ data }) => hear(data));
