/** The core that tensors live on: one for the whole program, made when the first tensor is. */
import { UnsupportedError } from "../errors.ts";
import { checkOptions } from "../options.ts";
import { Core } from "./core.ts";
import { bestFlavour, type Flavour, loadError } from "./module.ts";

/** How a runtime comes by a compiled core: at once, or only after waiting. */
export type CoreProvider =
  | { readonly now: (flavour: Flavour) => WebAssembly.Module }
  | { readonly later: (flavour: Flavour) => Promise<WebAssembly.Module> };

let provider: CoreProvider | undefined;
let core: Core | undefined;
let loading: Promise<void> | undefined;

/** Says where the core comes from, once for each entry of the package; gives that entry's `loadCore`. */
export function createLoadCore(source: CoreProvider) {
  provider = source;
  /**
   * Makes the core ready for tensors. Needed in browsers, where nothing can be loaded at once; elsewhere the first
   * tensor does it. Calling it again does nothing.
   * @param options.core a compiled build of the core, where the bundle has no file of it beside it
   * @throws UnsupportedError where WebAssembly has no SIMD or the core's file cannot be reached; ArgumentError for what is no core
   */
  return async function loadCore(options: { readonly core?: WebAssembly.Module | undefined } = {}): Promise<void> {
    if (core) return;
    checkOptions(options, ["core"], "loadCore");
    const { core: given } = options;
    loading ??= load(given ? { now: () => given } : source).finally(() => {
      loading = undefined;
    });
    await loading;
  };
}

async function load(source: CoreProvider): Promise<void> {
  const flavour = bestFlavour(false);
  try {
    const module = "now" in source ? source.now(flavour) : await source.later(flavour);
    core ??= new Core(module);
  } catch (cause) {
    throw loadError(cause);
  }
}

/** The core that tensors live on. @throws UnsupportedError where it must be waited for and was not, or cannot be loaded */
export function defaultCore(): Core {
  if (core) return core;
  if (!provider || !("now" in provider)) {
    throw new UnsupportedError("This runtime cannot load the core at once: await loadCore() before the first tensor");
  }
  const flavour = bestFlavour(false);
  try {
    core = new Core(provider.now(flavour));
  } catch (cause) {
    throw loadError(cause);
  }
  return core;
}
