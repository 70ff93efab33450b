/** Loads a model: opens its files, checks their tensors, and packs the weights into a core's memory. */
import { packedSizeOf } from "../core/axis.ts";
import { bestFlavour } from "../core/module.ts";
import { type CoreSource, planThreads, startCore } from "../core/start.ts";
import { unlessAborted } from "../formats/abort.ts";
import { buildEngine } from "./build.ts";
import type { Engine } from "./engine.ts";
import { layoutOf } from "./layout.ts";
import { checkLoadOptions, type LoadOptions } from "./load-options.ts";
import { matchTensors } from "./match-tensors.ts";
import { type ModelSource, openSource, type Places } from "./open-source.ts";

/** What differs from runtime to runtime. */
export interface Platform extends CoreSource, Places {}

/** Loads engines on a runtime. */
export function createLoadEngine(platform: Platform) {
  return async function loadEngine(source: ModelSource, options: LoadOptions): Promise<Engine> {
    checkLoadOptions(options);
    const { signal } = options;
    const plan = planThreads(options.threads ?? 1, options.core !== undefined, platform.threads);
    const loading = options.core ? Promise.resolve(options.core) : platform.loadCore(bestFlavour(plan.threads > 1));
    const module = await unlessAborted(loading, signal, () => {});
    const opened = await openSource(source, options, platform);
    try {
      const layout = layoutOf(opened.config);
      // Nothing is allocated for sizes that no tensor bears out.
      const jobs = matchTensors(opened.tensors, opened.config, layout, opened.naming, opened.name);
      const starting = startCore(platform, module, plan, ({ kernels }) =>
        kernels.scratchBytes(packedSizeOf(layout.head)),
      );
      const { core, team } = await unlessAborted(starting, signal, (late) => late.team.dispose());
      return await buildEngine(opened, jobs, core, team, options).catch((error) => {
        team.dispose();
        throw error;
      });
    } finally {
      await opened.tensors.close();
    }
  };
}
