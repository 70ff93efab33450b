/** Steps and records by the names of their words, as src/core/layouts.ts lays them out. */
import type { Core } from "./core.ts";

/** An enum of words. */
type Layout = { readonly words: number };

/** A value for every word of a layout. */
export type Words<L extends Layout> = { readonly [Name in Exclude<keyof L, "words">]: number };

/** The words of a step or record in their order. */
export function wordsOf<L extends Layout>(layout: L, values: Words<L>): number[] {
  const words: number[] = new Array(layout.words).fill(0);
  for (const name of Object.keys(values) as (keyof Words<L>)[]) words[layout[name] as number] = values[name];
  return words;
}

/** Bytes of a record. */
export function bytesOf(layout: Layout): number {
  return layout.words * 4;
}

/** Writes a record. */
export function writeRecord<L extends Layout>(core: Core, pointer: number, layout: L, values: Words<L>): void {
  core.u32(pointer, layout.words).set(wordsOf(layout, values));
}

const floatWord = new Float32Array(1);
const floatBits = new Uint32Array(floatWord.buffer);

/** An f32 as a word. */
export function bitsOf(value: number): number {
  floatWord[0] = value;
  return floatBits[0]!;
}
