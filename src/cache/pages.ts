/** The pages of the key/value cache: fixed stretches of the core's memory, counted so that sessions can share them. */
import type { Core } from "../core/core.ts";
import type { PageForm } from "./page-form.ts";

/** Gives out pages of one form for heads of one size; a page is freed when its last holder lets go. */
export class PagePool {
  readonly core: Core;
  readonly form: PageForm;
  readonly #holders = new Map<number, number>();

  constructor(core: Core, form: PageForm) {
    this.core = core;
    this.form = form;
  }

  /** Dimensions of a head. */
  get headSize(): number {
    return this.form.headSize;
  }

  /** Bytes of one page. */
  get pageBytes(): number {
    return this.form.pageBytes;
  }

  /** Pages held by anyone. */
  get pageCount(): number {
    return this.#holders.size;
  }

  /** A page with one holder, its content undefined. @throws MemoryError */
  take(): number {
    const page = this.core.allocate(this.pageBytes);
    this.#holders.set(page, 1);
    return page;
  }

  /** So many pages, or none where memory lacks. @throws MemoryError */
  takeAll(count: number): number[] {
    const pages: number[] = [];
    try {
      while (pages.length < count) pages.push(this.take());
    } catch (error) {
      for (const page of pages) this.release(page);
      throw error;
    }
    return pages;
  }

  /** One holder more. */
  hold(page: number): void {
    this.#holders.set(page, this.#holders.get(page)! + 1);
  }

  /** One holder less; the last one frees the page. */
  release(page: number): void {
    const holders = this.#holders.get(page)! - 1;
    if (holders > 0) {
      this.#holders.set(page, holders);
    } else {
      this.#holders.delete(page);
      this.core.free(page);
    }
  }

  isShared(page: number): boolean {
    return this.#holders.get(page)! > 1;
  }
}
