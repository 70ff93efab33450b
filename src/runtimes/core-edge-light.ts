/** The core for Vercel's edge functions: `?module` is that platform's spelling of a compiled module. */
import { createLoadCore } from "../core/default-core.ts";
import baseline from "./core.wasm?module";

export { baseline };

/** Makes the core ready for tensors; the first tensor does so too. */
export const loadCore = createLoadCore({ now: () => baseline });
