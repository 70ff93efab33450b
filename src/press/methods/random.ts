/** Random eviction, and the sources of random numbers that other methods draw from. */
import { definePress, type OptionsOf } from "../define.ts";
import { callback, number, optional } from "../settings.ts";
import { eachHead } from "../tools/each-head.ts";

export type RandomOptions = OptionsOf<typeof random>;

/** Scores are uniform random numbers. */
export const random = definePress({
  name: "random",
  paper: "Random eviction: the baseline that a method has to beat",
  options: {
    /** Equal seeds give equal choices. */
    seed: number(0),
    /** Uniform numbers to use instead: for each KV head of a layer as many as it holds entries. */
    draw: optional(callback<(layer: number) => readonly Float32Array[]>),
  },
  score: (layer, { seed, draw }) => {
    if (draw) return draw(layer.layer);
    const next = uniform(seed * 0x9e3779b1 + layer.layer);
    return eachHead(layer, (head) => Float32Array.from({ length: layer.length(head) }, next));
  },
});

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
