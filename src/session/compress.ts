/** Compresses a cache: shows it to a press and keeps what the press chooses. */

import type { KeyValueCache } from "../cache/cache.ts";
import type { Engine } from "../model/engine.ts";
import type { Target } from "../press/budget.ts";
import { CachedEntries, multiplyRows } from "../press/entries.ts";
import type { LayerSelection, ModelEntries, PressSteps, ReplayLayer, StepsPress } from "../press/press.ts";
import { highest } from "../press/tools/choose.ts";
import { checkedSelections } from "../press/tools/results.ts";
import { rowNorms } from "../press/tools/vectors.ts";
import { rotate } from "../rotary/rotate.ts";
import { Recorder } from "./recorder.ts";

/** A press that goes on compressing after every pass of a session, and how far it has come. */
export interface Course {
  readonly press: StepsPress;
  readonly steps: PressSteps;
  readonly target: Target;
}

/**
 * The cache after a pass as presses see it.
 * @param chunked whether the pass is a chunk of a longer text
 */
export function viewCache(
  engine: Engine,
  cache: KeyValueCache,
  tokens: Int32Array,
  recorder: Recorder,
  chunked = false,
): ModelEntries {
  const { core, decoder, tokenizer } = engine;
  const queries = {
    rows: recorder.layers("queries").length > 0 ? recorder.rows : 0,
    layers: recorder.layers("queries"),
  };
  return {
    layers: Array.from(
      { length: cache.layers },
      (_, layer) => new CachedEntries(layer, cache, core, decoder, queries, chunked),
    ),
    tokens,
    // Asked for when it is needed: not every model has a frame.
    get frame() {
      return engine.frame;
    },
    encode: (text) => tokenizer.encode(text),
    multiply: (a, b, depth) => multiplyRows(core, a, b, depth),
    highest: (scores, keep) => highest(core, scores, keep),
    replay: (replayed) => replay(engine, cache, replayed),
  };
}

/** Keeps what a press chose, in the cache itself. @throws ArgumentError, MemoryError; the cache is then as it was */
export function keepSelected(engine: Engine, cache: KeyValueCache, selections: readonly LayerSelection[]): void {
  cache.keep(
    (layer, head) => selections[layer]!.kept[head]!,
    engine.decoder.rotations,
    (layer, head) => ({ keys: selections[layer]!.keys?.[head], values: selections[layer]!.values?.[head] }),
  );
}

/**
 * Lets a course compress after a pass.
 * @param checkLive throws when the press has disposed the session
 * @returns the course as it is then; the one given has not changed
 */
export function stepCourse(
  engine: Engine,
  cache: KeyValueCache,
  checkLive: () => void,
  course: Course,
  view: ModelEntries,
): Course {
  const steps = course.steps.fork();
  const selections = steps.step(view, course.target, view.tokens.length);
  checkLive();
  if (selections) keepSelected(engine, cache, checkedSelections(course.press.name, view, selections));
  return { ...course, steps };
}

/** Runs tokens behind the cache, as a question is, and keeps what enters attention. */
function replay(engine: Engine, cache: KeyValueCache, tokens: Int32Array): readonly ReplayLayer[] {
  const { core, decoder, config } = engine;
  const { headSize } = config;
  const group = config.queryHeads / config.kvHeads;
  const recorder = new Recorder(core, config, ["queries", "keys", "normed"], tokens.length);
  recorder.batch(0, tokens.length, (record) =>
    decoder.forward(cache, { text: new Int32Array(0), questions: [tokens], record, hidden: false }),
  );
  return Array.from({ length: config.layers }, (_, layer) => {
    const rotated = (part: "queries" | "keys", head: number, keyHead: number) => {
      const source = recorder.layers(part)[layer]!;
      const width = source.length / tokens.length;
      const rows = new Float32Array(tokens.length * headSize);
      for (let row = 0; row < tokens.length; row++) {
        const from = row * width + head * headSize;
        rows.set(source.subarray(from, from + headSize), row * headSize);
      }
      const first = cache.nextPosition(layer, keyHead);
      return rotate(
        rows,
        headSize,
        tokens.map((_, row) => first + row),
        decoder.frequencies,
      );
    };
    return {
      rows: tokens.length,
      queries: (queryHead) => rotated("queries", queryHead, Math.floor(queryHead / group)),
      keys: (head) => rotated("keys", head, head),
      hiddenNorms: () => rowNorms(recorder.layers("normed")[layer]!, config.hiddenSize),
    };
  });
}
