/** The paged key/value cache of one session: for every layer and KV head its own entries, positions and pages. */
import type { Core } from "../core/core.ts";
import { HeadRecord } from "../core/layouts.ts";
import { bytesOf } from "../core/words.ts";
import { ArgumentError } from "../errors.ts";
import type { RotationRows } from "../rotary/rotation-rows.ts";
import { show } from "../show.ts";
import { CachedHead, type Content } from "./head.ts";
import type { CacheForm } from "./page-form.ts";
import type { PagePool } from "./pages.ts";
import { Positions } from "./positions.ts";

/** Which rotation cached keys carry: `contiguous` turns survivors to 0..n-1; `original` leaves them where they stood. */
export type Scheme = "contiguous" | "original";

/** What a cache was when an attempt to change it began, and what was put aside since. */
interface Attempt {
  readonly lengths: readonly number[];
  readonly absolutePosition: number;
  readonly table: number;
  readonly pageCapacity: number;
  /** Pages shared with a fork that were copied to be written to: still held, to be put back. */
  readonly copied: { readonly head: CachedHead; readonly index: number; readonly page: number }[];
  /** Every head as it was, where more is done than to append. */
  readonly heads: readonly CachedHead[] | undefined;
}

/** Entries are keys and values, in the form of the pool's pages. A page is shared between forks until one of them writes to it. */
export class KeyValueCache {
  readonly layers: number;
  readonly kvHeads: number;
  readonly scheme: Scheme;
  readonly #pool: PagePool;
  readonly #core: Core;
  readonly #heads: CachedHead[];
  /** The innermost attempt that is under way. */
  #attempt: Attempt | undefined;
  /** Tokens read in all, kept or not. */
  #absolutePosition = 0;
  /** The heads' entries, then their page addresses, [layers · kvHeads][capacity]; rebuilt when a head outgrows it. */
  #table = 0;
  #pageCapacity = 0;

  constructor(pool: PagePool, layers: number, kvHeads: number, scheme: Scheme) {
    this.#pool = pool;
    this.#core = pool.core;
    this.layers = layers;
    this.kvHeads = kvHeads;
    this.scheme = scheme;
    this.#heads = Array.from({ length: layers * kvHeads }, () => new CachedHead(pool));
  }

  get headSize(): number {
    return this.#pool.headSize;
  }

  /** How entries are held. */
  get form(): CacheForm {
    return this.#pool.form.form;
  }

  get absolutePosition(): number {
    return this.#absolutePosition;
  }

  /** Bytes of one page of one head. */
  get pageBytes(): number {
    return this.#pool.pageBytes;
  }

  /** Entries that a head holds. */
  length(layer: number, head: number): number {
    return this.#head(layer, head).length;
  }

  /** Entries of the head that holds most. */
  get longest(): number {
    return this.#heads.reduce((longest, head) => Math.max(longest, head.length), 0);
  }

  /** Whether all heads hold the same number of entries. */
  get isEven(): boolean {
    return this.#heads.every((head) => head.length === this.#heads[0]!.length);
  }

  /** Whether any head still holds the last token read. */
  get holdsLast(): boolean {
    return this.#heads.some(
      ({ length, positions }) => length > 0 && positions.at(length - 1) === this.#absolutePosition - 1,
    );
  }

  /** The position at which a head sees the next token: behind its entries, or behind the text, as the scheme says. */
  nextPosition(layer: number, head: number): number {
    return this.scheme === "contiguous" ? this.length(layer, head) : this.#absolutePosition;
  }

  /** Bytes of the pages this cache holds, shared or not, and of its table. */
  get byteLength(): number {
    const pages = this.#heads.reduce((sum, head) => sum + head.pages.length, 0);
    return pages * this.#pool.pageBytes + this.#tableBytes(this.#pageCapacity);
  }

  /** The addresses of the pages held: what forks share counts once in their union. */
  get pages(): number[] {
    return this.#heads.flatMap((head) => head.pages);
  }

  /** Where in the text a head's entries stood: [length], position 0 being the session's first token. */
  positions(layer: number, head: number): Int32Array {
    const state = this.#head(layer, head);
    return state.positions.toArray(state.length);
  }

  /** A head's keys as they are rotated now: [length, headSize]. */
  keys(layer: number, head: number): Float32Array {
    return this.#head(layer, head).read("keys");
  }

  /** A head's values: [length, headSize]. */
  values(layer: number, head: number): Float32Array {
    return this.#head(layer, head).read("values");
  }

  /**
   * Makes room for `rows` more entries in every head and writes the table with lengths that count them already.
   * Nothing changes for readers until `commit`.
   * @param rotationBase the row of the rotation rows that stands for position 0
   * @returns address of the table: one entry for each layer and head, layer by layer
   */
  reserve(rows: number, rotationBase: number): number {
    let longest = 0;
    for (const head of this.#heads) {
      const copied = head.reserve(rows);
      if (copied && this.#attempt) this.#attempt.copied.push({ head, ...copied });
      else if (copied) this.#pool.release(copied.page);
      longest = Math.max(longest, head.pages.length);
    }
    this.#growTable(longest);
    const count = this.#heads.length;
    const { words, pages, entries, rotationBase: base } = HeadRecord;
    const table = this.#core.u32(this.#table, count * (words + this.#pageCapacity));
    for (let index = 0; index < count; index++) {
      const head = this.#heads[index]!;
      const next = this.scheme === "contiguous" ? head.length : this.#absolutePosition;
      const record = index * words;
      const list = count * words + index * this.#pageCapacity;
      table[record + entries] = head.length + rows;
      table[record + base] = next - rotationBase;
      if (head.listed === 0) table[record + pages] = this.#table + list * 4;
      for (; head.listed < head.pages.length; head.listed++) table[list + head.listed] = head.pages[head.listed]!;
    }
    return this.#table;
  }

  /** Makes the rows that were written into reserved room part of the cache. */
  commit(rows: number): void {
    for (const head of this.#heads) head.length += rows;
    this.#absolutePosition += rows;
  }

  /** Frees pages that were reserved and not committed. */
  trim(): void {
    for (const head of this.#heads) head.trim();
  }

  /**
   * Runs work that changes the cache, all of it or nothing: when it throws, content, pages and table are what they were.
   * @param keeps whether the work drops or rewrites entries and may fail afterwards; what it drops then stays allocated
   * until the end. Work that appends, and at last calls `keep`, which fails before it changes anything, needs it not.
   */
  attempt<T>(work: () => T, keeps = false): T {
    const outer = this.#attempt;
    const attempt: Attempt = {
      lengths: this.#heads.map(({ length }) => length),
      absolutePosition: this.#absolutePosition,
      table: this.#table,
      pageCapacity: this.#pageCapacity,
      copied: [],
      heads: keeps ? this.#heads.map((head) => head.fork()) : undefined,
    };
    this.#attempt = attempt;
    try {
      const result = work();
      for (const head of attempt.heads ?? []) head.clear();
      for (const { page } of attempt.copied) this.#pool.release(page);
      if (attempt.table && attempt.table !== this.#table) this.#core.free(attempt.table);
      return result;
    } catch (error) {
      this.#undo(attempt);
      throw error;
    } finally {
      this.#attempt = outer;
    }
  }

  #undo({ lengths, absolutePosition, table, pageCapacity, copied, heads }: Attempt): void {
    for (const [index, head] of this.#heads.entries()) {
      if (heads) {
        head.clear();
        this.#heads[index] = heads[index]!;
      } else {
        head.length = lengths[index]!;
        head.trim();
      }
    }
    for (const { head, index, page } of copied) {
      if (heads) this.#pool.release(page);
      else head.replace(index, page);
    }
    if (this.#table && table !== this.#table) this.#core.free(this.#table);
    this.#useTable(table, pageCapacity);
    this.#absolutePosition = absolutePosition;
  }

  /**
   * Takes back the newest tokens, as if they had never been read.
   * @returns whether that could be done: not where compression has dropped some of them already
   */
  dropNewest(count: number): boolean {
    const first = this.#absolutePosition - count;
    const newest = (head: CachedHead) => {
      const start = head.length - count;
      return start >= 0 && (count === 0 || head.positions.at(start) === first);
    };
    if (!this.#heads.every(newest)) return false;
    for (const head of this.#heads) {
      head.length -= count;
      head.positions = head.positions.truncate(head.length, first);
      head.trim();
    }
    this.#absolutePosition = first;
    return true;
  }

  /**
   * Keeps the given entries of every head and drops the others; pages fall free at once. In the contiguous scheme the
   * keys are turned to their new places.
   * @param indices for layer l and head h the entries to keep, strictly ascending; heads may keep different numbers
   * @param content new keys and values of the entries kept
   * @throws ArgumentError naming the head whose indices do not ascend or point nowhere; MemoryError when a fork's pages
   * cannot be copied. The cache is then as it was.
   */
  keep(
    indices: (layer: number, head: number) => Int32Array,
    rotations: RotationRows,
    content: (layer: number, head: number) => Content = () => ({}),
  ): void {
    const chosen: { list: Int32Array; content: Content }[] = [];
    for (let layer = 0; layer < this.layers; layer++) {
      for (let head = 0; head < this.kvHeads; head++) {
        const list = indices(layer, head);
        checkIndices(list, this.length(layer, head), layer, head);
        chosen.push({ list, content: content(layer, head) });
      }
    }
    // All memory is taken before anything changes; then nothing can fail.
    const contiguous = this.scheme === "contiguous";
    if (chosen.some((each) => each.content.keys || each.content.values)) {
      // 8-bit pages turn rewritten keys back by the place they have now.
      rotations.fromZero(contiguous ? this.longest : this.#absolutePosition);
    }
    const turning = { rotations: contiguous ? rotations.fromZero(this.longest) : 0, half: rotations.half };
    const plans = this.#heads.map((head, index) => head.plan(chosen[index]!.list, chosen[index]!.content));
    const pages = this.#pool.takeAll(plans.reduce((sum, { pages }) => sum + pages, 0));
    const mostPages = this.#heads.reduce((most, head) => Math.max(most, head.pages.length), 0);
    const sizes = { lists: (2 * mostPages + this.longest) * 4, work: this.#pool.form.writeBytes };
    try {
      this.#core.borrow(sizes, ({ lists, work }) => {
        for (const [index, head] of this.#heads.entries()) {
          const { list, content } = chosen[index]!;
          const plan = plans[index]!;
          const fresh = pages.splice(0, plan.pages);
          if (plan.copies.length > 0) head.own(plan.copies, fresh.splice(0, plan.copies.length));
          head.rewrite(list, content, work);
          if (list.length < head.length) head.gather(list, fresh, turning, lists);
        }
      });
    } finally {
      for (const page of pages) this.#pool.release(page);
    }
    /** Heads that kept the same entries of the same positions go on sharing one list. */
    const shared = new Map<Positions, Map<Int32Array, Positions>>();
    for (const [index, head] of this.#heads.entries()) {
      const { list } = chosen[index]!;
      const known = shared.get(head.positions) ?? new Map<Int32Array, Positions>();
      shared.set(head.positions, known);
      const positions = known.get(list) ?? head.positions.keep(list, this.#absolutePosition);
      known.set(list, positions);
      head.positions = positions;
    }
  }

  /** A head's pages as they are, [pages, pageBytes], zeros where no entry stands. @throws MemoryError */
  savePages(layer: number, head: number): Uint8Array {
    return this.#head(layer, head).save();
  }

  /**
   * Fills a cache that holds nothing yet with what `savePages` and `positions` gave of one in the same form and scheme.
   * @param heads for layer l and head h at l · kvHeads + h: positions [entries], pages [pages, pageBytes]
   * @throws MemoryError; the cache should then be disposed
   */
  restore(
    heads: readonly { readonly positions: Int32Array; readonly pages: Uint8Array }[],
    absolutePosition: number,
  ): void {
    const shared = new Map<Int32Array, Positions>();
    for (const [index, { positions, pages }] of heads.entries()) {
      const head = this.#heads[index]!;
      head.restore(pages, this.scheme === "contiguous" ? positions.map((_, entry) => entry) : positions);
      head.positions = shared.get(positions) ?? new Positions(positions, absolutePosition);
      shared.set(positions, head.positions);
    }
    this.#absolutePosition = absolutePosition;
  }

  /** A cache of the same content that shares all pages until either side writes. */
  fork(): KeyValueCache {
    const copy = new KeyValueCache(this.#pool, this.layers, this.kvHeads, this.scheme);
    for (const [index, head] of this.#heads.entries()) copy.#heads[index] = head.fork();
    copy.#absolutePosition = this.#absolutePosition;
    return copy;
  }

  /** Lets go of every page and of the table. */
  dispose(): void {
    for (const head of this.#heads) head.clear();
    if (this.#table) this.#core.free(this.#table);
    this.#table = 0;
    this.#pageCapacity = 0;
  }

  #head(layer: number, head: number): CachedHead {
    const isIndex = (index: number, count: number) => Number.isInteger(index) && index >= 0 && index < count;
    if (!isIndex(layer, this.layers) || !isIndex(head, this.kvHeads)) {
      throw new ArgumentError(
        `Layer ${show(layer)}, head ${show(head)}: there are ${this.layers} layers of ${this.kvHeads} KV heads`,
      );
    }
    return this.#heads[layer * this.kvHeads + head]!;
  }

  #tableBytes(pageCapacity: number): number {
    // The allocator gives out multiples of 64.
    return Math.ceil((pageCapacity && this.#heads.length * (bytesOf(HeadRecord) + pageCapacity * 4)) / 64) * 64;
  }

  #growTable(pages: number): void {
    if (this.#table && pages <= this.#pageCapacity) return;
    const capacity = Math.max(4, 2 ** Math.ceil(Math.log2(pages + 1)));
    const table = this.#core.allocate(this.#tableBytes(capacity));
    if (this.#table && this.#table !== this.#attempt?.table) this.#core.free(this.#table);
    this.#useTable(table, capacity);
  }

  /** Goes on with a table, in which no page may be listed yet. */
  #useTable(table: number, pageCapacity: number): void {
    if (table !== this.#table) for (const head of this.#heads) head.listed = 0;
    this.#table = table;
    this.#pageCapacity = pageCapacity;
  }
}

function checkIndices(list: Int32Array, length: number, layer: number, head: number): void {
  let previous = -1;
  for (const index of list) {
    if (index <= previous || index >= length) {
      throw new ArgumentError(
        `Layer ${layer}, head ${head}: entries to keep must ascend strictly and be below ${length}; ${index} follows ${previous}`,
      );
    }
    previous = index;
  }
}
