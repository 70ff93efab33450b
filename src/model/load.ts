/** Loads a model: opens its files, checks their tensors, and packs the weights into a core's memory. */
import { packedSizeOf } from "../core/axis.ts";
import { Core } from "../core/core.ts";
import { bestFlavour, type Flavour } from "../core/module.ts";
import { type StartWorker, Team } from "../core/team.ts";
import { unlessAborted } from "../formats/abort.ts";
import { buildEngine } from "./build.ts";
import type { Engine } from "./engine.ts";
import { layoutOf } from "./layout.ts";
import { checkLoadOptions, type LoadOptions, threadsFor } from "./load-options.ts";
import { matchTensors } from "./match-tensors.ts";
import { type ModelSource, openSource, type Places } from "./open-source.ts";

/** What differs from runtime to runtime. */
export interface Platform extends Places {
  /** The compiled core. */
  loadCore(flavour: Flavour): Promise<WebAssembly.Module>;
  /** Worker threads, where there are any. */
  readonly threads?: {
    /** How many run at once. */
    available(): number;
    readonly start: StartWorker;
  };
}

/** Loads engines on a runtime. */
export function createLoadEngine(platform: Platform) {
  return async function loadEngine(source: ModelSource, options: LoadOptions): Promise<Engine> {
    checkLoadOptions(options);
    const { signal } = options;
    const threads = threadsFor(options, platform.threads?.available());
    const loading = options.core ? Promise.resolve(options.core) : platform.loadCore(bestFlavour(threads > 1));
    const module = await unlessAborted(loading, signal, () => {});
    const opened = await openSource(source, options, platform);
    try {
      const layout = layoutOf(opened.config);
      // Nothing is allocated for sizes that no tensor bears out.
      const jobs = matchTensors(opened.tensors, opened.config, layout, opened.naming, opened.name);
      const core = new Core(module, threads > 1);
      const scratchBytes = core.kernels.scratchBytes(packedSizeOf(layout.head));
      const starting = Team.start(core, module, threads, scratchBytes, platform.threads?.start);
      const team = await unlessAborted(starting, signal, (late) => late.dispose());
      return await buildEngine(opened, jobs, core, team, options).catch((error) => {
        team.dispose();
        throw error;
      });
    } finally {
      await opened.tensors.close();
    }
  };
}
