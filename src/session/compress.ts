/** Compresses a cache: shows it to a press and keeps what the press chooses. */

import type { KeyValueCache } from "../cache/cache.ts";
import type { Engine } from "../model/engine.ts";
import type { Target } from "../press/budget.ts";
import { arithmetic, cachedEntries, columns, type PassRecord } from "../press/entries.ts";
import type { LayerSelection, ModelEntries, PressSteps, ReplayLayer, StepsPress } from "../press/press.ts";
import { checkedSelections } from "../press/tools/results.ts";
import { rowNorms } from "../press/tools/vectors.ts";
import { rotate } from "../rotary/rotate.ts";
import { Recorder } from "./recorder.ts";

/** A press that goes on compressing after every pass of a session, and what it remembers. */
export interface Ongoing {
  readonly press: StepsPress;
  readonly steps: PressSteps;
  readonly target: Target;
}

/** What a pass is, beyond its tokens. */
type PassFacts = Omit<PassRecord, "rows" | "queries">;

/** The cache after a pass as presses see it. */
export function viewCache(
  engine: Engine,
  cache: KeyValueCache,
  tokens: Int32Array,
  recorder: Recorder,
  facts: PassFacts = { chunked: false, textLength: tokens.length },
): ModelEntries {
  const { core, decoder } = engine;
  const queries = recorder.layers("queries");
  const record = { ...facts, queries, rows: queries.length > 0 ? recorder.rows : 0 };
  return {
    ...arithmetic(core),
    layers: Array.from({ length: cache.layers }, (_, layer) => cachedEntries(layer, cache, core, decoder, record)),
    tokens,
    textLength: facts.textLength,
    // Asked for when they are needed: not every model has a frame, or a tokenizer.
    get frame() {
      return engine.frame;
    },
    encode: (text) => engine.tokenizer.encode(text),
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
 * Lets a press that goes on compressing do so after a pass.
 * @param checkLive throws when the press has disposed the session
 * @returns what it is then; the one given has not changed
 */
export function stepOngoing(
  engine: Engine,
  cache: KeyValueCache,
  checkLive: () => void,
  ongoing: Ongoing,
  view: ModelEntries,
): Ongoing {
  const steps = ongoing.steps.fork();
  const selections = steps.step(view, ongoing.target, view.tokens.length);
  checkLive();
  if (selections) keepSelected(engine, cache, checkedSelections(ongoing.press.name, view, selections));
  return { ...ongoing, steps };
}

/** Runs tokens behind the cache, as a question is, and keeps what enters attention. */
function replay(engine: Engine, cache: KeyValueCache, tokens: Int32Array): readonly ReplayLayer[] {
  const { core, decoder, config } = engine;
  const { headSize } = config;
  const group = config.queryHeads / config.kvHeads;
  const recorder = new Recorder(core, config, ["queries", "keys", "normed"], tokens.length);
  recorder.batch(0, tokens.length, (record) =>
    decoder.forward(cache, { text: new Int32Array(0), questions: [tokens], record }),
  );
  return Array.from({ length: config.layers }, (_, layer) => {
    const rotated = (part: "queries" | "keys", head: number, keyHead: number) => {
      const rows = columns(recorder.layers(part)[layer]!, tokens.length, head, headSize);
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
