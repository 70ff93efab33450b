/** Where the pages of an 8-bit cache stand as f32 while many rows read them: one layer's at a time. */
import type { Core } from "../core/core.ts";
import { HeadRecord } from "../core/layouts.ts";
import { Scratch } from "../core/region.ts";
import { bytesOf } from "../core/words.ts";
import { PAGE_ENTRIES } from "./page-form.ts";

/** Grows to the longest cache it has served. */
export class Expansion {
  readonly #core: Core;
  readonly #layers: number;
  readonly #kvHeads: number;
  readonly #pageBytes: number;
  readonly #scratch: Scratch<"table" | "lists" | "pages">;
  #table = 0;
  #lists = 0;
  #pages = 0;

  constructor(core: Core, layers: number, kvHeads: number, headSize: number) {
    this.#core = core;
    this.#layers = layers;
    this.#kvHeads = kvHeads;
    this.#pageBytes = PAGE_ENTRIES * headSize * 8;
    this.#scratch = new Scratch(core);
  }

  /**
   * A table like that of the cache, [layers][kvHeads], whose pages are f32 and the same for all layers.
   * @param stored address of the cache's table
   * @throws MemoryError
   */
  table(stored: number): number {
    const core = this.#core;
    const heads = this.#layers * this.#kvHeads;
    const entries = core.i32(stored, heads * HeadRecord.words).slice();
    let longest = 1;
    for (let head = 0; head < heads; head++) {
      longest = Math.max(longest, entries[head * HeadRecord.words + HeadRecord.entries]!);
    }
    this.#ensure(Math.ceil(longest / PAGE_ENTRIES));
    const listBytes = this.#pages * 4;
    for (let head = 0; head < heads; head++) {
      entries[head * HeadRecord.words + HeadRecord.pages] = this.#lists + (head % this.#kvHeads) * listBytes;
    }
    core.i32(this.#table, entries.length).set(entries);
    return this.#table;
  }

  dispose(): void {
    this.#scratch.free();
    this.#pages = 0;
  }

  /** Makes room for so many pages a head and lists their addresses. */
  #ensure(pages: number): void {
    if (pages <= this.#pages) return;
    this.#pages = 0;
    const count = this.#kvHeads * pages;
    const parts = this.#scratch.cut({
      table: this.#layers * this.#kvHeads * bytesOf(HeadRecord),
      lists: count * 4,
      pages: count * this.#pageBytes,
    });
    this.#pages = pages;
    this.#table = parts.table;
    this.#lists = parts.lists;
    const addresses = Uint32Array.from({ length: count }, (_, page) => parts.pages + page * this.#pageBytes);
    this.#core.u32(parts.lists, count).set(addresses);
  }
}
