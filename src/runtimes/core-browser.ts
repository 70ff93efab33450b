/** The core's files for browsers and bundlers: a literal `new URL` for each, so that bundlers see them. */
import { createLoadCore } from "../core/default-core.ts";
import type { Flavour } from "../core/module.ts";
import { UnsupportedError } from "../errors.ts";
import { located } from "./located.ts";

/** Made only when asked for: a bundle in another format has no `import.meta.url` and brings a core of its own. */
const urls: Record<Flavour, () => URL> = {
  baseline: () => new URL("./core.wasm", import.meta.url),
  relaxed: () => new URL("./core.relaxed.wasm", import.meta.url),
  "baseline-shared": () => new URL("./core.shared.wasm", import.meta.url),
  "relaxed-shared": () => new URL("./core.relaxed.shared.wasm", import.meta.url),
};

/** @throws UnsupportedError that says what a bundle lacks */
export async function fetchCore(flavour: Flavour): Promise<WebAssembly.Module> {
  const url = locate(flavour);
  const response = await fetch(url).catch((cause) => missing(`${url}: the server cannot be reached`, cause));
  if (!response.ok) return missing(`${url}: ${response.status} ${response.statusText}`.trimEnd());
  const bytes = new Uint8Array(await response.arrayBuffer());
  // Servers of single-page applications answer with a page for what is missing.
  if (bytes[0] !== 0 || bytes[1] !== 0x61) return missing(`${url}: what the server sent is not WebAssembly`);
  // Not compileStreaming: servers get the MIME type wrong.
  return WebAssembly.compile(bytes);
}

/** Makes the core ready for tensors: to be awaited before the first one. */
export const loadCore = createLoadCore({ later: fetchCore });

function locate(flavour: Flavour): URL {
  try {
    return located(urls[flavour]());
  } catch (cause) {
    return missing("This bundle does not know where it lies", cause);
  }
}

function missing(why: string, cause?: unknown): never {
  throw new UnsupportedError(
    `${why}. The bundle lacks the core: copy node_modules/siskin/dist/*.wasm beside it, or give \`core\` the module of siskin/core-embedded (docs/bundlers.md)`,
    { cause },
  );
}
