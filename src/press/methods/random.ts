/** Random eviction: the baseline that a method has to beat. */

import type { ScorePress } from "../press.ts";
import { eachHead } from "../tools/each-head.ts";

/** Settings of the press. */
export interface RandomOptions {
  /** Equal seeds give equal choices. */
  readonly seed?: number;
  /** Uniform numbers to use instead: for each KV head of a layer as many as it holds entries. */
  readonly draw?: (layer: number) => readonly Float32Array[];
}

/** Scores are uniform random numbers. */
export function random(options: RandomOptions = {}): ScorePress {
  const { seed = 0 } = options;
  return {
    kind: "score",
    name: "random",
    score: (entries) => {
      if (options.draw) return options.draw(entries.layer);
      const next = uniform(seed * 0x9e3779b1 + entries.layer);
      return eachHead(entries, (head) => Float32Array.from({ length: entries.length(head) }, next));
    },
  };
}

/** A source of uniform numbers from 0 to below 1: SplitMix32 (after Steele et al., OOPSLA 2014). */
export function uniform(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** A source of normal numbers (Box and Muller 1958). */
export function normal(seed: number): () => number {
  const next = uniform(seed);
  return () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
}
