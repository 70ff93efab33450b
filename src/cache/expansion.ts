/** Where the pages of an 8-bit cache stand as f32 while many rows read them: one layer's at a time. */
import type { Core } from "../core/core.ts";
import { HeadRecord } from "../core/layouts.ts";
import { bytesOf } from "../core/words.ts";
import { PAGE_ENTRIES } from "./page-form.ts";

/** Grows to the longest cache it has served. */
export class Expansion {
  readonly #core: Core;
  readonly #layers: number;
  readonly #kvHeads: number;
  readonly #pageBytes: number;
  #pointer = 0;
  #pages = 0;

  constructor(core: Core, layers: number, kvHeads: number, headSize: number) {
    this.#core = core;
    this.#layers = layers;
    this.#kvHeads = kvHeads;
    this.#pageBytes = PAGE_ENTRIES * headSize * 8;
  }

  /**
   * A table like that of the cache, [layers][kvHeads], whose pages are f32 and the same for all layers.
   * @param stored address of the cache's table
   * @throws MemoryError
   */
  table(stored: number): number {
    const core = this.#core;
    const heads = this.#layers * this.#kvHeads;
    const entries = core.i32(stored, heads * 4).slice();
    let longest = 1;
    for (let head = 0; head < heads; head++) longest = Math.max(longest, entries[head * 4 + 1]!);
    this.#ensure(Math.ceil(longest / PAGE_ENTRIES));
    const lists = this.#pointer + heads * bytesOf(HeadRecord);
    const listBytes = this.#pages * 4;
    for (let head = 0; head < heads; head++) entries[head * 4] = lists + (head % this.#kvHeads) * listBytes;
    core.i32(this.#pointer, heads * 4).set(entries);
    return this.#pointer;
  }

  dispose(): void {
    if (this.#pointer) this.#core.free(this.#pointer);
    this.#pointer = 0;
    this.#pages = 0;
  }

  /** Makes room for so many pages a head and lists their addresses. */
  #ensure(pages: number): void {
    if (pages <= this.#pages) return;
    this.dispose();
    const tableBytes = this.#layers * this.#kvHeads * bytesOf(HeadRecord);
    const headerBytes = Math.ceil((tableBytes + this.#kvHeads * pages * 4) / 64) * 64;
    this.#pointer = this.#core.allocate(headerBytes + this.#kvHeads * pages * this.#pageBytes);
    this.#pages = pages;
    const first = this.#pointer + headerBytes;
    this.#core
      .u32(this.#pointer + tableBytes, this.#kvHeads * pages)
      .set(Uint32Array.from({ length: this.#kvHeads * pages }, (_, page) => first + page * this.#pageBytes));
  }
}
