/** The paged key/value cache of one session: for every layer and KV head its own entries, positions and pages. */
import type { Core } from "../core/core.ts";
import { HeadRecord } from "../core/layouts.ts";
import { bytesOf } from "../core/words.ts";
import { ArgumentError } from "../errors.ts";
import type { Turning } from "../rotary/rotary.ts";
import { writeRotationRows } from "../rotary/rotation-rows.ts";
import { show } from "../show.ts";
import { finish, once, type Steps } from "../steps.ts";
import { CachedHead, type Content } from "./head.ts";
import { type CacheForm, noRenumbering, PAGE_ENTRIES, type Renumbering } from "./page-form.ts";
import type { PagePool } from "./pages.ts";
import { Positions } from "./positions.ts";

/** Which rotation cached keys carry: `contiguous` turns survivors to 0..n-1; `original` leaves them where they stood. */
export type Scheme = "contiguous" | "original";

/** What a cache must know of the layers whose keys and values it holds. */
export interface CacheLayers {
  readonly layers: number;
  readonly kvHeads: number;
  /** How a layer's keys turn in a text of so many tokens. */
  turning(layer: number, length: number): Turning;
  /** Whether that depends on the length. */
  readonly byLength: boolean;
  /** How many entries a token sees in a layer, itself included; undefined: all. */
  window(layer: number): number | undefined;
}

/** What a cache was when an attempt to change it began, and what was put aside since. */
interface Attempt {
  readonly lengths: readonly number[];
  readonly absolutePosition: number;
  readonly textLength: number;
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
  readonly #shape: CacheLayers;
  /** Whether some layers have a window and some do not. */
  readonly #mixed: boolean;
  readonly #pool: PagePool;
  readonly #core: Core;
  readonly #heads: CachedHead[];
  /** The innermost attempt that is under way. */
  #attempt: Attempt | undefined;
  /** Tokens read in all, kept or not. */
  #absolutePosition = 0;
  /** The longest text that the cache was made ready for, which the frequencies may depend on. */
  #textLength = 0;
  /** The heads' entries, then their page addresses, [layers · kvHeads][capacity]; rebuilt when a head outgrows it. */
  #table = 0;
  #pageCapacity = 0;

  constructor(pool: PagePool, shape: CacheLayers, scheme: Scheme) {
    const { layers, kvHeads } = shape;
    this.#pool = pool;
    this.#core = pool.core;
    this.#shape = shape;
    this.layers = layers;
    this.kvHeads = kvHeads;
    const windows = new Set(Array.from({ length: layers }, (_, layer) => shape.window(layer) !== undefined));
    this.#mixed = windows.size > 1;
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

  /** Entries that a head holds. In a layer with a window that is what the last token saw. */
  length(layer: number, head: number): number {
    return this.#head(layer, head).length - this.hidden(layer, head);
  }

  /** Entries that a head's pages begin with though the last token did not see them. */
  hidden(layer: number, head: number): number {
    const window = this.#shape.window(layer);
    return window === undefined ? 0 : this.firstSeen(layer, head, this.nextPosition(layer, head) - 1);
  }

  /** Of the entries in a head's pages, and those to follow, the first one that a token at a position sees. */
  firstSeen(layer: number, head: number, position: number): number {
    const { length, dropped, positions } = this.#head(layer, head);
    const first = position - (this.#shape.window(layer) ?? Number.POSITIVE_INFINITY) + 1;
    if (this.scheme === "contiguous") return Math.max(0, first - dropped);
    if (first > this.#absolutePosition) return length + first - this.#absolutePosition;
    let [low, high] = [0, length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (positions.at(middle) < first) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /**
   * Whether a layer keeps what its window holds, whatever presses choose: where other layers see everything, they choose
   * for these alone.
   */
  keepsWindow(layer: number): boolean {
    return this.#mixed && this.#shape.window(layer) !== undefined;
  }

  /** The layers that presses choose for. */
  get chosenLayers(): number[] {
    return Array.from({ length: this.layers }, (_, layer) => layer).filter((layer) => !this.keepsWindow(layer));
  }

  /** The heads that presses choose for. */
  get #chosenHeads(): readonly CachedHead[] {
    if (!this.#mixed) return this.#heads;
    return this.#heads.filter((_, index) => !this.keepsWindow(Math.floor(index / this.kvHeads)));
  }

  /** Entries of the head that holds most, of those that presses choose for. */
  get longest(): number {
    return this.#chosenHeads.reduce((longest, head) => Math.max(longest, head.length), 0);
  }

  /** Whether these heads all hold the same number of entries. */
  get isEven(): boolean {
    const heads = this.#chosenHeads;
    return heads.every((head) => head.length === heads[0]!.length);
  }

  /** Whether any head still holds the last token read. */
  get holdsLast(): boolean {
    return this.#heads.some(
      ({ length, positions }) => length > 0 && positions.at(length - 1) === this.#absolutePosition - 1,
    );
  }

  /** The position at which a head sees the next token: behind its entries, or behind the text, as the scheme says. */
  nextPosition(layer: number, head: number): number {
    return this.#nextPosition(this.#head(layer, head));
  }

  /** The position of the first entry in a head's pages. */
  firstPlace(layer: number, head: number): number {
    const { length, dropped, positions } = this.#head(layer, head);
    return this.scheme === "contiguous" ? dropped : length > 0 ? positions.at(0) : this.#absolutePosition;
  }

  #nextPosition({ length, dropped }: CachedHead): number {
    return this.scheme === "contiguous" ? dropped + length : this.#absolutePosition;
  }

  /** How a layer's keys are turned. */
  turning(layer: number): Turning {
    return this.#shape.turning(layer, this.#textLength);
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
    const hidden = this.hidden(layer, head);
    const positions = state.positions.toArray(state.length);
    return hidden === 0 ? positions : positions.slice(hidden);
  }

  /** The positions by which a head's keys are rotated now: [length]. */
  places(layer: number, head: number): Int32Array {
    if (this.scheme === "original") return this.positions(layer, head);
    const first = this.#head(layer, head).dropped + this.hidden(layer, head);
    return Int32Array.from({ length: this.length(layer, head) }, (_, entry) => first + entry);
  }

  /** A head's keys as they are rotated now: [length, headSize]. */
  keys(layer: number, head: number): Float32Array {
    return this.#head(layer, head).read("keys", this.hidden(layer, head), this.turning(layer));
  }

  /** A head's values: [length, headSize]. */
  values(layer: number, head: number): Float32Array {
    return this.#head(layer, head).read("values", this.hidden(layer, head), this.turning(layer));
  }

  /**
   * Makes ready for `tokens` more of text: where the frequencies depend on the length of the text, the keys are turned
   * from the old ones to the new ones. Frequencies never go back to those of a shorter text.
   * @throws MemoryError; within an attempt that `keeps`, the cache is then as it was
   */
  expect(tokens: number): void {
    const before = this.#textLength;
    const length = this.#lengthWith(tokens);
    const turns = this.wouldTurn(tokens);
    this.#textLength = length;
    if (!turns || this.form === "q8") return;
    const rowBytes = this.#pool.pageBytes / PAGE_ENTRIES / 2;
    const dimensions = rowBytes / 4;
    this.#core.borrow({ rotations: PAGE_ENTRIES * rowBytes, indices: PAGE_ENTRIES * 4 }, ({ rotations, indices }) => {
      this.#core.i32(indices, PAGE_ENTRIES).set(Array.from({ length: PAGE_ENTRIES }, (_, row) => row));
      for (const [index, head] of this.#heads.entries()) {
        const layer = Math.floor(index / this.kvHeads);
        const old = this.#shape.turning(layer, before).frequencies.inverseFrequencies;
        const change = new Float64Array(dimensions / 2);
        const { inverseFrequencies } = this.#shape.turning(layer, length).frequencies;
        for (let i = 0; i < old.length; i++) change[i] = inverseFrequencies[i]! - old[i]!;
        head.own(head.sharedPages, this.#pool.takeAll(head.sharedPages.length));
        for (const [at, page] of head.pages.entries()) {
          const rows = Math.min(PAGE_ENTRIES, head.length - at * PAGE_ENTRIES);
          const place = (row: number) => {
            const entry = at * PAGE_ENTRIES + row;
            return this.scheme === "contiguous" ? head.dropped + entry : head.positions.at(entry);
          };
          writeRotationRows(this.#core, rotations, rows, place, change);
          this.#core.kernels.turnRows(page, rows, dimensions, dimensions / 2, rotations, indices);
        }
      }
    });
  }

  #lengthWith(tokens: number): number {
    return Math.max(this.#textLength, (this.scheme === "contiguous" ? this.longest : this.#absolutePosition) + tokens);
  }

  /** Whether `tokens` more make keys that are there turn by other frequencies. */
  wouldTurn(tokens: number): boolean {
    if (!this.#shape.byLength) return false;
    const [before, length] = [this.#textLength, this.#lengthWith(tokens)];
    return this.#heads.some((head, index) => {
      if (head.length === 0) return false;
      const layer = Math.floor(index / this.kvHeads);
      return this.#shape.turning(layer, length) !== this.#shape.turning(layer, before);
    });
  }

  /**
   * Makes room for `rows` more entries in every head and writes the table with lengths that count them already.
   * Nothing changes for readers until `commit`.
   * @returns address of the table: one entry for each layer and head, layer by layer
   */
  reserve(rows: number): number {
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
      const record = index * words;
      const list = count * words + index * this.#pageCapacity;
      table[record + entries] = head.length + rows;
      table[record + base] = this.#nextPosition(head);
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
    return finish(this.attemptInSteps(() => once(work), keeps));
  }

  /** As `attempt`, for work that can be paused; given up midway it leaves the cache as it was, too. */
  *attemptInSteps<T>(work: () => Steps<T>, keeps = false): Steps<T> {
    const outer = this.#attempt;
    const attempt: Attempt = {
      lengths: this.#heads.map(({ length }) => length),
      absolutePosition: this.#absolutePosition,
      textLength: this.#textLength,
      table: this.#table,
      pageCapacity: this.#pageCapacity,
      copied: [],
      heads: keeps ? this.#heads.map((head) => head.fork()) : undefined,
    };
    this.#attempt = attempt;
    let done = false;
    try {
      const result = yield* work();
      for (const head of attempt.heads ?? []) head.clear();
      for (const { page } of attempt.copied) this.#pool.release(page);
      if (attempt.table && attempt.table !== this.#table) this.#core.free(attempt.table);
      if (!outer) this.#dropUnseen();
      done = true;
      return result;
    } finally {
      if (!done) this.#undo(attempt);
      this.#attempt = outer;
    }
  }

  /** Frees the pages of which no token to come sees anything. */
  #dropUnseen(): void {
    for (const [index, head] of this.#heads.entries()) {
      head.dropFront(this.hidden(Math.floor(index / this.kvHeads), index % this.kvHeads));
    }
  }

  #undo({ lengths, absolutePosition, textLength, table, pageCapacity, copied, heads }: Attempt): void {
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
    this.#textLength = textLength;
  }

  /**
   * Takes back the newest tokens, as if they had never been read.
   * @returns whether that could be done: not where compression has dropped some of them already, or a window what the
   * tokens before them saw
   */
  dropNewest(count: number): boolean {
    const first = this.#absolutePosition - count;
    const newest = (head: CachedHead, index: number) => {
      const start = head.length - count;
      if (start < 0 || (count > 0 && head.positions.at(start) !== first)) return false;
      const window = this.#shape.window(Math.floor(index / this.kvHeads)) ?? 0;
      return head.dropped === 0 || start >= window - 1;
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
    content: (layer: number, head: number) => Content = () => ({}),
  ): void {
    const chosen: { list: Int32Array; content: Content; gathers: boolean; layer: number }[] = [];
    for (let layer = 0; layer < this.layers; layer++) {
      for (let head = 0; head < this.kvHeads; head++) {
        const list = indices(layer, head);
        const length = this.length(layer, head);
        checkIndices(list, length, layer, head);
        const hidden = this.hidden(layer, head);
        const held = hidden === 0 ? list : list.map((index) => index + hidden);
        chosen.push({ list: held, content: content(layer, head), gathers: list.length < length, layer });
      }
    }
    // All memory is taken before anything changes; then nothing can fail.
    for (const [index, head] of this.#heads.entries()) this.#reserveRows(head, chosen[index]!);
    const plans = this.#heads.map((head, index) => {
      const { list, content, gathers } = chosen[index]!;
      return head.plan(list, content, gathers);
    });
    const pages = this.#pool.takeAll(plans.reduce((sum, { pages }) => sum + pages, 0));
    const mostPages = this.#heads.reduce((most, head) => Math.max(most, head.pages.length), 0);
    const sizes = { lists: (2 + PAGE_ENTRIES) * mostPages * 4, work: this.#pool.form.writeBytes };
    try {
      this.#core.borrow(sizes, ({ lists, work }) => {
        for (const [index, head] of this.#heads.entries()) {
          const { list, content, gathers, layer } = chosen[index]!;
          const plan = plans[index]!;
          const fresh = pages.splice(0, plan.pages);
          if (plan.copies.length > 0) head.own(plan.copies, fresh.splice(0, plan.copies.length));
          head.rewrite(list, content, this.turning(layer), work);
          if (gathers) head.gather(list, fresh, this.#renumbering(head, layer), lists);
        }
      });
    } finally {
      for (const page of pages) this.#pool.release(page);
    }
    /** Heads that kept the same entries of the same positions go on sharing one list. */
    const shared = new Map<Positions, Map<Int32Array, Positions>>();
    for (const [index, head] of this.#heads.entries()) {
      const { list, gathers } = chosen[index]!;
      if (!gathers) continue;
      const known = shared.get(head.positions) ?? new Map<Int32Array, Positions>();
      shared.set(head.positions, known);
      const positions = known.get(list) ?? head.positions.keep(list, this.#absolutePosition);
      known.set(list, positions);
      head.positions = positions;
    }
  }

  /** How the entries that a head keeps come to their new places. */
  #renumbering(head: CachedHead, layer: number): Renumbering {
    if (this.scheme === "original") return noRenumbering;
    const { turns, rows } = this.turning(layer);
    const first = head.dropped;
    if (!turns || this.form === "q8") return { rotations: 0, half: 0, first };
    return { rotations: rows.origin(first, Math.max(1, head.length)), half: rows.half, first };
  }

  /** Takes the memory of the rotation rows that keeping a head's entries needs. @throws MemoryError */
  #reserveRows(
    head: CachedHead,
    { content, gathers, layer }: { content: Content; gathers: boolean; layer: number },
  ): void {
    const last = Math.max(0, this.#nextPosition(head) - 1);
    const { rows, firstRows, turns } = this.turning(layer);
    // 8-bit pages turn rewritten keys back by the place they have now.
    if (this.form === "q8" && (content.keys || content.values)) {
      const span = this.scheme === "original" ? last + 1 : Math.max(1, head.length);
      rows.reserve(last, span);
      firstRows.reserve(last, span);
    } else if (this.form === "f32" && gathers && turns && this.scheme === "contiguous") {
      rows.reserve(last, Math.max(1, head.length));
    }
  }

  /** Which of a head's entries were dropped from the front as no token sees them, and where those that its pages hold stood. */
  savedHead(layer: number, head: number): { readonly positions: Int32Array; readonly dropped: number } {
    const { length, dropped, positions } = this.#head(layer, head);
    return { positions: positions.toArray(length), dropped };
  }

  /** The longest text that the cache was made ready for. */
  get textLength(): number {
    return this.#textLength;
  }

  /** A head's pages as they are, [pages, pageBytes], zeros where no entry stands. @throws MemoryError */
  savePages(layer: number, head: number): Uint8Array {
    return this.#head(layer, head).save();
  }

  /**
   * Fills a cache that holds nothing yet with what `savePages` and `savedHead` gave of one in the same form and scheme.
   * @param heads for layer l and head h at l · kvHeads + h: positions [entries], pages [pages, pageBytes]
   * @throws MemoryError; the cache should then be disposed
   */
  restore(
    heads: readonly { readonly positions: Int32Array; readonly pages: Uint8Array; readonly dropped: number }[],
    absolutePosition: number,
    textLength: number,
  ): void {
    const shared = new Map<Int32Array, Positions>();
    for (const [index, { positions, pages, dropped }] of heads.entries()) {
      const head = this.#heads[index]!;
      const turns = this.scheme === "contiguous" ? positions.map((_, entry) => dropped + entry) : positions;
      head.restore(pages, turns, dropped);
      head.positions = shared.get(positions) ?? new Positions(positions, absolutePosition);
      shared.set(positions, head.positions);
    }
    this.#absolutePosition = absolutePosition;
    this.#textLength = textLength;
  }

  /** A cache of the same content that shares all pages until either side writes. */
  fork(): KeyValueCache {
    const copy = new KeyValueCache(this.#pool, this.#shape, this.scheme);
    for (const [index, head] of this.#heads.entries()) copy.#heads[index] = head.fork();
    copy.#absolutePosition = this.#absolutePosition;
    copy.#textLength = this.#textLength;
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
