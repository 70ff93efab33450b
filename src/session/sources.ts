/** Where in what was read an answer comes from, and how likely the model holds it: by running the answer again, behind the question. */
import type { KeyValueCache } from "../cache/cache.ts";
import { PAGE_ENTRIES } from "../cache/page-form.ts";
import type { Engine } from "../model/engine.ts";

/** A stretch of the session's text that an answer looked at. */
export interface Source {
  /** The first token and the one behind the last, 0 being the session's first token. */
  readonly start: number;
  readonly end: number;
  /** The mean of the sharpest attention that its tokens got from the answer's, 0 to 1. */
  readonly weight: number;
}

/** What a session makes of an answer to what it has read. */
export interface AnswerReview {
  /** The geometric mean of the probabilities of the answer's tokens, 0 to 1; 0 for no answer. */
  readonly likelihood: number;
  /** Where the answer looked, the strongest first. */
  readonly sources: readonly Source[];
}

/** Stretches at most, and how much weaker than the first one the others may be. */
const MOST = 3;
const WEAKEST = 0.5;
/** An answer that could stand behind any question: what it attends to says nothing. */
const NEUTRAL = " It is as they said, and there is nothing more to be said of it.";
/** Tokens of a stretch beyond those of the answer: what stands around the words that were copied. */
const AROUND = 8;

/**
 * The stretches of the entries between two positions that the answer's tokens attend to most: the sharpest weight that any of them gives an
 * entry in any head of any layer, as the siskin press scores, averaged over a window a little longer than the answer.
 * @param cache holds the question, behind which the answer is run; it is left as it is
 * @param first of the document's positions, and `end` behind its last
 * @returns the best first; none for an empty answer
 */
export function sourcesOf(
  engine: Engine,
  cache: KeyValueCache,
  answer: Int32Array,
  first: number,
  end: number,
): Source[] {
  if (answer.length === 0) return [];
  const weights = sharpestWeights(engine, cache, answer);
  // Some heads look at the newest entries, or the first ones, whatever is said.
  for (const [position, weight] of sharpestWeights(engine, cache, engine.tokenizer.encode(NEUTRAL))) {
    weights.set(position, Math.max(0, weights.get(position)! - weight));
  }
  const kept = [...weights.keys()].filter((position) => position >= first && position < end).sort((a, b) => a - b);
  const length = answer.length + AROUND;
  const windows = kept.map((start) => {
    let sum = 0;
    for (let position = start; position < start + length; position++) sum += weights.get(position) ?? 0;
    return { start, end: Math.min(start + length, end), weight: sum / length };
  });
  windows.sort((a, b) => b.weight - a.weight || a.start - b.start);
  const chosen: Source[] = [];
  for (const window of windows) {
    if (chosen.length === MOST || window.weight < WEAKEST * windows[0]!.weight) break;
    if (chosen.every((other) => window.end <= other.start || window.start >= other.end)) chosen.push(window);
  }
  return chosen;
}

/** For each position that some head kept, the sharpest weight that a token gives it. */
function sharpestWeights({ core, decoder }: Engine, cache: KeyValueCache, tokens: Int32Array): Map<number, number> {
  const { layers, kvHeads } = cache;
  const stride = Math.ceil(cache.longest / PAGE_ENTRIES) * PAGE_ENTRIES;
  const lists = layers * kvHeads;
  return core.borrow({ scores: lists * stride * 4 }, ({ scores: pointer }) => {
    core.f32(pointer, lists * stride).fill(0);
    const address = (layer: number, head: number) => pointer + (layer * kvHeads + head) * stride * 4;
    const scoring = { target: address, factors: undefined };
    decoder.forward(cache, { text: new Int32Array(0), questions: [tokens], scoring });
    const weights = new Map<number, number>();
    for (let layer = 0; layer < layers; layer++) {
      for (let head = 0; head < kvHeads; head++) {
        const scores = core.f32(address(layer, head), stride);
        for (const [entry, position] of cache.positions(layer, head).entries()) {
          weights.set(position, Math.max(weights.get(position) ?? 0, scores[entry]!));
        }
      }
    }
    return weights;
  });
}
