/** Compresses a cache: shows it to a press and keeps what the press chooses. */
import type { KeyValueCache } from "../cache/cache.ts";
import { PAGE_ENTRIES } from "../cache/page-form.ts";
import type { Model } from "../model/model.ts";
import {
  type Budget,
  bytesTarget,
  checkProtect,
  countTarget,
  noTarget,
  ratioTarget,
  type Target,
} from "../press/budget.ts";
import { highest } from "../press/choose.ts";
import { CachedEntries, multiplyRows } from "../press/entries.ts";
import type { LayerSelection, ModelEntries, Press, ReplayLayer } from "../press/press.ts";
import { rotate } from "../press/rotate.ts";
import { rowNorms } from "../press/vectors.ts";
import { Recorder } from "./recorder.ts";

/** A budget, or none for a press that knows by itself how much to keep. */
export type OptionalBudget =
  | Budget
  | {
      readonly budget?: undefined;
      readonly ratio?: undefined;
      readonly bytes?: undefined;
      readonly protect?: undefined;
    };

/** What a budget means for a press and a cache. @throws ArgumentError for a budget that cannot be */
export function targetOf(budget: OptionalBudget, press: Press, cache: KeyValueCache): Target {
  if (budget.budget === undefined && budget.ratio === undefined && budget.bytes === undefined)
    return noTarget(press.name);
  const protect = checkProtect(budget.protect ?? {});
  if (budget.ratio !== undefined) return ratioTarget(budget.ratio, protect);
  if (budget.budget !== undefined) return countTarget(budget.budget, protect);
  const room = {
    heads: cache.layers * cache.keyHeads,
    pageBytes: cache.pageBytes,
    pageEntries: PAGE_ENTRIES,
    tableBytes: cache.byteLength - cache.pages.length * cache.pageBytes,
  };
  return bytesTarget(budget.bytes, room, press.kind !== "score", protect);
}

/** The cache after a pass as presses see it. */
export function viewCache(model: Model, cache: KeyValueCache, tokens: Int32Array, recorder: Recorder): ModelEntries {
  const { core, decoder, tokenizer, prompt } = model;
  const queries = {
    rows: recorder.layers("queries").length > 0 ? recorder.rows : 0,
    layers: recorder.layers("queries"),
  };
  return {
    layers: Array.from({ length: cache.layers }, (_, layer) => new CachedEntries(layer, cache, core, decoder, queries)),
    tokens,
    prompt,
    encode: (text) => tokenizer.encode(text),
    multiply: (a, b, depth) => multiplyRows(core, a, b, depth),
    highest: (scores, keep) => highest(core, scores, keep),
    replay: (replayed) => replay(model, cache, replayed),
  };
}

/** Keeps what a press chose, in the cache itself. @throws ArgumentError, MemoryError; the cache is then as it was */
export function keepSelected(model: Model, cache: KeyValueCache, selections: readonly LayerSelection[]): void {
  for (const [layer, { kept, keys, values }] of selections.entries()) {
    for (const [head, list] of kept.entries()) {
      const content = { keys: keys?.[head], values: values?.[head] };
      if (content.keys || content.values) cache.rewrite(layer, head, list, content);
    }
  }
  cache.keep((layer, head) => selections[layer]!.kept[head]!, model.decoder.rotations);
}

/** Runs tokens behind the cache, as a question is, and keeps what enters attention. */
function replay(model: Model, cache: KeyValueCache, tokens: Int32Array): readonly ReplayLayer[] {
  const { core, decoder, config } = model;
  const { headSize } = config;
  const group = config.queryHeads / config.keyHeads;
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
