/** Runs questions behind a chunk of a document and gathers what their tokens see in the entries. */
import type { KeyValueCache } from "../cache/cache.ts";
import { PAGE_ENTRIES } from "../cache/page-form.ts";
import type { Recording } from "../model/batch.ts";
import type { Engine } from "../model/engine.ts";
import type { QuestionNeeds } from "../press/press.ts";
import type { Steps } from "../steps.ts";

/**
 * Runs a chunk, which enters the cache, and the questions behind it, each blind to the others.
 * @param cache one whose heads hold equally many entries
 * @returns the scores of a layer's KV head: [entries], the same array for all that share them
 * @throws MemoryError, NumericError; the cache is then as it was
 */
export function* readWithQuestions(
  { core, decoder }: Engine,
  cache: KeyValueCache,
  chunk: Int32Array,
  questions: readonly Int32Array[],
  { granularity, pooling }: QuestionNeeds,
  record: Recording | undefined,
): Steps<(layer: number, head: number) => Float32Array> {
  const { layers, kvHeads } = cache;
  const lists = { head: layers * kvHeads, layer: layers, model: 1 }[granularity];
  const listOf = (layer: number, head: number) => ({ head: layer * kvHeads + head, layer, model: 0 })[granularity];
  const entries = cache.longest + chunk.length;
  const stride = Math.ceil(entries / PAGE_ENTRIES) * PAGE_ENTRIES;
  const scores = yield* core.borrowInSteps({ scores: lists * stride * 4 }, function* ({ scores: pointer }) {
    core.f32(pointer, lists * stride).fill(0);
    const scoring = {
      target: (layer: number, head: number) => pointer + listOf(layer, head) * stride * 4,
      factors: pooling === "mean" ? meanFactors(questions, entries) : undefined,
    };
    yield* decoder.forwardInSteps(cache, { text: chunk, questions, scoring, record });
    return Array.from({ length: lists }, (_, list) =>
      core.f32(pointer + list * stride * 4, entries).slice(cache.hidden(cache.chosenLayers[0]!, 0)),
    );
  });
  return (layer, head) => scores[listOf(layer, head)]!;
}

/** FINCH's normalisation: a weight counts as many times as its token sees entries, averaged over a question's tokens. */
function meanFactors(questions: readonly Int32Array[], entries: number): Float32Array {
  return Float32Array.from(
    questions.flatMap((question) => [...question].map((_, row) => (entries + row + 1) / question.length)),
  );
}
