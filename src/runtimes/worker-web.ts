/** A worker of a browser: serves one core until it is ended. */
import { serve } from "../core/serve.ts";

addEventListener("message", ({ data }) => serve(data, () => postMessage("ready")), { once: true });
