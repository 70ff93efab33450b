/** The entries of one KV head: its pages, how many entries they hold, and where those stood in the text. */
import { type EntryPart, PAGE_ENTRIES, PAGE_SHIFT, type Turning } from "./page-form.ts";
import type { PagePool } from "./pages.ts";
import { Positions } from "./positions.ts";

/** New keys and values of some entries: [entries, headSize] each; keys as they are rotated now. */
export interface Content {
  readonly keys?: Float32Array | undefined;
  readonly values?: Float32Array | undefined;
}

/** The pages that must be taken anew to keep some entries. */
interface Plan {
  readonly pages: number;
  /** Indices of pages that are copied first, because a fork reads them and entries in them are rewritten. */
  readonly copies: readonly number[];
}

/** One head of one layer. A page that another cache holds too is copied before it is written to. */
export class CachedHead {
  readonly #pages: number[] = [];
  /** How many of the first pages stand in the cache's table as they are. */
  listed = 0;
  length = 0;
  positions = new Positions();
  readonly #pool: PagePool;

  constructor(pool: PagePool) {
    this.#pool = pool;
  }

  /** Addresses of the pages. */
  get pages(): readonly number[] {
    return this.#pages;
  }

  /** A head of the same content that shares all pages. */
  fork(): CachedHead {
    const copy = new CachedHead(this.#pool);
    for (const page of this.pages) this.#pool.hold(page);
    copy.#change(0, 0, ...this.pages);
    copy.length = this.length;
    copy.positions = this.positions;
    return copy;
  }

  /**
   * Makes room for `rows` more entries.
   * @returns the page that was copied, because a fork reads it; it is still held, for the caller to release
   * @throws MemoryError
   */
  reserve(rows: number): { readonly index: number; readonly page: number } | undefined {
    const needed = Math.ceil((this.length + rows) / PAGE_ENTRIES);
    while (this.pages.length < needed) this.#change(this.pages.length, 0, this.#pool.take());
    const index = this.length >> PAGE_SHIFT;
    const page = this.pages[index];
    if (rows === 0 || page === undefined || !this.#pool.isShared(page)) return undefined;
    this.#change(index, 1, this.#copy(page, this.#pool.take()));
    return { index, page };
  }

  /** Puts a page back in the place of its copy, which is freed. */
  replace(index: number, page: number): void {
    for (const copy of this.#change(index, 1, page)) this.#pool.release(copy);
  }

  /** Frees the pages that hold no entry. */
  trim(): void {
    this.#dropPages(Math.ceil(this.length / PAGE_ENTRIES));
  }

  /** Frees everything. */
  clear(): void {
    this.#dropPages(0);
    this.length = 0;
  }

  /** What keeping the entries of `list` takes: nothing unless a fork still reads pages that would be written. */
  plan(list: Int32Array, content: Content): Plan {
    const needed = Math.ceil(list.length / PAGE_ENTRIES);
    const shared = (index: number) => this.#pool.isShared(this.pages[index]!);
    const gathers = list.length < this.length;
    const places = Array.from({ length: gathers ? needed : 0 }, (_, index) => index);
    if (!content.keys && !content.values) return { pages: places.some(shared) ? needed : 0, copies: [] };
    const written = new Set([...places, ...list.map((entry) => entry >> PAGE_SHIFT)]);
    const copies = [...written].filter(shared);
    return { pages: copies.length, copies };
  }

  /**
   * Keeps the entries of `list` and drops the others.
   * @param fresh the pages to gather into, as many as the entries need; none: the head's own
   * @param scratch room for the pages twice and the list, 4 bytes each
   */
  gather(list: Int32Array, fresh: readonly number[], turning: Turning, scratch: number): void {
    const { core, form } = this.#pool;
    const needed = Math.ceil(list.length / PAGE_ENTRIES);
    const targetPointer = scratch + this.pages.length * 4;
    const listPointer = targetPointer + needed * 4;
    core.u32(scratch, this.pages.length).set(this.pages);
    core.u32(targetPointer, needed).set(fresh.length > 0 ? fresh : this.pages.slice(0, needed));
    core.i32(listPointer, list.length).set(list);
    form.gather(scratch, targetPointer, listPointer, list.length, turning);
    this.#dropPages(fresh.length > 0 ? 0 : needed);
    this.#change(this.pages.length, 0, ...fresh);
    this.length = list.length;
  }

  /** Makes pages the head's own: those of the indices `copies` are copied to `fresh`. */
  own(copies: readonly number[], fresh: readonly number[]): void {
    for (const [place, index] of copies.entries()) {
      const page = this.pages[index]!;
      this.#change(index, 1, this.#copy(page, fresh[place]!));
      this.#pool.release(page);
    }
  }

  /** Writes new keys and values over those of the given entries, in pages of its own. @param scratch as `PageForm.write` */
  rewrite(list: Int32Array, content: Content, scratch: number): void {
    const { form, headSize } = this.#pool;
    for (const part of ["keys", "values"] as const) {
      const rows = content[part];
      if (!rows) continue;
      for (const [row, entry] of list.entries()) {
        const values = rows.subarray(row * headSize, (row + 1) * headSize);
        form.write(this.pages[entry >> PAGE_SHIFT]!, entry % PAGE_ENTRIES, part, values, scratch);
      }
    }
  }

  /** The keys as they are rotated now, or the values: [length, headSize]. */
  read(part: EntryPart): Float32Array {
    const { form, headSize } = this.#pool;
    const target = new Float32Array(this.length * headSize);
    for (const [index, page] of this.pages.entries()) {
      const first = index * PAGE_ENTRIES;
      const rows = Math.min(PAGE_ENTRIES, this.length - first);
      if (rows <= 0) break;
      form.read(page, rows, part, target.subarray(first * headSize));
    }
    return target;
  }

  /** The pages as they are, zeros where no entry stands: what was dropped is not passed on. @throws MemoryError */
  save(): Uint8Array {
    const { core, form, pageBytes } = this.#pool;
    const count = Math.ceil(this.length / PAGE_ENTRIES);
    const target = new Uint8Array(count * pageBytes);
    for (const [index, page] of this.pages.slice(0, count).entries()) {
      const rows = Math.min(PAGE_ENTRIES, this.length - index * PAGE_ENTRIES);
      core.borrow(
        { copy: pageBytes, source: 4, target: 4, list: rows * 4 },
        ({ copy, source, target: place, list }) => {
          core.u32(source, 1)[0] = page;
          core.u32(place, 1)[0] = copy;
          core.u32(list, rows).set(Array.from({ length: rows }, (_, row) => row));
          core.bytes(copy, pageBytes).fill(0);
          form.gather(source, place, list, rows, { rotations: 0, half: 0 });
          target.set(core.bytes(copy, pageBytes), index * pageBytes);
        },
      );
    }
    return target;
  }

  /** Fills a head that holds nothing. @param turns [entries] at which positions the keys are rotated @throws MemoryError */
  restore(pages: Uint8Array, turns: Int32Array): void {
    const { core, form, pageBytes } = this.#pool;
    this.reserve(turns.length);
    this.length = turns.length;
    for (const [index, page] of this.pages.entries()) {
      core.bytes(page, pageBytes).set(pages.subarray(index * pageBytes, (index + 1) * pageBytes));
      form.setTurns(page, turns.subarray(index * PAGE_ENTRIES, (index + 1) * PAGE_ENTRIES));
    }
  }

  #copy(page: number, copy: number): number {
    const { core, pageBytes } = this.#pool;
    core.bytes(copy, pageBytes).set(core.bytes(page, pageBytes));
    return copy;
  }

  #dropPages(remaining: number): void {
    for (const page of this.#change(remaining, this.pages.length)) this.#pool.release(page);
  }

  /** Puts pages in the place of `count` others from `index` on. @returns those */
  #change(index: number, count: number, ...pages: number[]): number[] {
    this.listed = Math.min(this.listed, index);
    return this.#pages.splice(index, count, ...pages);
  }
}
