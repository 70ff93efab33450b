/** `loadModel`, for every kind of runtime. */
import { createLoadEngine, type Platform } from "../model/load.ts";
import type { LoadOptions } from "../model/load-options.ts";
import type { ModelSource } from "../model/open-source.ts";
import { Model } from "./model.ts";

/** `loadModel` for a runtime. */
export function createLoadModel(platform: Platform) {
  const loadEngine = createLoadEngine(platform);
  /**
   * Loads a model.
   * @throws ArgumentError for a source or an option that cannot be, FormatError naming the file's fault, UnsupportedError
   * when it cannot be reached, MemoryError; what the signal gives when aborted. Nothing stays allocated then.
   */
  return async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<Model> {
    return new Model(await loadEngine(source, options));
  };
}
