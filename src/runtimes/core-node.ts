/** The core's files beside the bundle, for Node, Deno and Bun. */
import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { createLoadCore } from "../core/default-core.ts";
import type { Flavour } from "../core/module.ts";
import { UnsupportedError } from "../errors.ts";

/** Made only when asked for: a bundle in CommonJS has no `import.meta.url` and brings a core of its own. */
const urls: Record<Flavour, () => URL> = {
  baseline: () => new URL("./core.wasm", import.meta.url),
  relaxed: () => new URL("./core.relaxed.wasm", import.meta.url),
  "baseline-shared": () => new URL("./core.shared.wasm", import.meta.url),
  "relaxed-shared": () => new URL("./core.relaxed.shared.wasm", import.meta.url),
};

/** @throws UnsupportedError that says what a bundle lacks */
export async function readCore(flavour: Flavour): Promise<WebAssembly.Module> {
  const path = pathOf(flavour);
  const bytes = await readFile(path).catch((cause) => missing(path, cause));
  return WebAssembly.compile(new Uint8Array(bytes));
}

/** Makes the core ready for tensors; the first tensor does so too. */
export const loadCore = createLoadCore({
  now(flavour) {
    const path = pathOf(flavour);
    try {
      return new WebAssembly.Module(new Uint8Array(readFileSync(path)));
    } catch (cause) {
      return missing(path, cause);
    }
  },
});

function pathOf(flavour: Flavour): string {
  try {
    return fileURLToPath(urls[flavour]());
  } catch (cause) {
    throw new UnsupportedError(
      "This bundle does not know where it lies, so it cannot find the core: give `core` the module of siskin/core-embedded (docs/bundlers.md)",
      { cause },
    );
  }
}

function missing(path: string, cause: unknown): never {
  throw new UnsupportedError(
    `The core cannot be read from ${path}: copy node_modules/siskin/dist/*.wasm beside the bundle, or give \`core\` the module of siskin/core-embedded (docs/bundlers.md)`,
    { cause },
  );
}
