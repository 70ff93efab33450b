/**
 * Byte-pair merging: neighbouring symbols become one, the pair of the best rank first and of equal ranks the leftmost, until no pair has
 * a rank (Sennrich et al. 2016; SentencePiece's bigrams by score are the same with another rank).
 *
 * A queue of pairs over linked symbols makes it O(n log n) whatever the text.
 */
import type { MergeTable } from "./merge-table.ts";

/** More than a merger is ever given symbols; a key of the queue holds a rank times this and a position, exactly. */
const positions = 2 ** 26;
/** So few symbols are merged faster without a queue. */
const few = 24;

/** Merges symbols as a table says. */
export class Merger {
  /** The symbols: [count] ids. */
  ids = new Int32Array(64);
  /** After `merge`, the symbol behind each that is left; that of the last is `count`. */
  next = new Int32Array(64);
  readonly #table: MergeTable;
  #previous = new Int32Array(64);
  /** Of the pair that begins at a symbol: its rank, -1 for none, and what it becomes. */
  #ranks = new Int32Array(64);
  #results = new Int32Array(64);
  #heap = new Float64Array(64);
  #heapLength = 0;

  constructor(table: MergeTable) {
    this.#table = table;
  }

  /** Makes room for so many symbols. */
  reserve(count: number): void {
    if (count < this.ids.length) return;
    const length = Math.ceil(count * 1.5) + 1;
    const ids = new Int32Array(length);
    ids.set(this.ids);
    this.ids = ids;
    this.next = new Int32Array(length);
    this.#previous = new Int32Array(length);
    this.#ranks = new Int32Array(length);
    this.#results = new Int32Array(length);
  }

  /** Merges the first `count` symbols. */
  merge(count: number): void {
    for (let at = 0; at < count; at++) {
      this.next[at] = at + 1;
      this.#previous[at] = at - 1;
    }
    if (count < few) this.#mergeFew(count);
    else this.#mergeMany(count);
  }

  /** The best pair is looked for afresh each time. */
  #mergeFew(count: number): void {
    const { ids, next } = this;
    const ranks = this.#ranks;
    for (let at = 0; at < count; at++) this.#rank(at, count);
    for (;;) {
      let best = -1;
      for (let at = 0; at < count; at = next[at]!) {
        if (ranks[at]! >= 0 && (best < 0 || ranks[at]! < ranks[best]!)) best = at;
      }
      if (best < 0) return;
      this.#join(best, count);
      ids[best] = this.#results[best]!;
      this.#rank(best, count);
      if (best > 0) this.#rank(this.#previous[best]!, count);
    }
  }

  #mergeMany(count: number): void {
    const { ids } = this;
    this.#heapLength = 0;
    for (let at = 0; at < count; at++) this.#queue(at, count);
    while (this.#heapLength > 0) {
      const key = this.#pop();
      const rank = Math.floor(key / positions);
      const at = key - rank * positions;
      // A half of the pair may have merged otherwise since it was queued.
      if (this.#ranks[at] !== rank) continue;
      this.#join(at, count);
      ids[at] = this.#results[at]!;
      this.#queue(at, count);
      if (at > 0) this.#queue(this.#previous[at]!, count);
    }
  }

  /** Takes the symbol behind `at` into it. */
  #join(at: number, count: number): void {
    const { next } = this;
    const right = next[at]!;
    const after = next[right]!;
    this.#ranks[right] = -1;
    next[at] = after;
    if (after < count) this.#previous[after] = at;
  }

  #rank(at: number, count: number): number {
    const table = this.#table;
    const right = this.next[at]!;
    const merge = right < count ? table.find(this.ids[at]!, this.ids[right]!) : -1;
    const rank = merge < 0 ? -1 : table.rank(merge);
    this.#ranks[at] = rank;
    if (merge >= 0) this.#results[at] = table.result(merge);
    return rank;
  }

  #queue(at: number, count: number): void {
    const rank = this.#rank(at, count);
    if (rank < 0) return;
    if (this.#heapLength === this.#heap.length) {
      const larger = new Float64Array(this.#heap.length * 2);
      larger.set(this.#heap);
      this.#heap = larger;
    }
    const heap = this.#heap;
    const key = rank * positions + at;
    let hole = this.#heapLength++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (heap[parent]! <= key) break;
      heap[hole] = heap[parent]!;
      hole = parent;
    }
    heap[hole] = key;
  }

  #pop(): number {
    const heap = this.#heap;
    const top = heap[0]!;
    const key = heap[--this.#heapLength]!;
    const length = this.#heapLength;
    let hole = 0;
    for (let child = 1; child < length; child = 2 * hole + 1) {
      if (child + 1 < length && heap[child + 1]! < heap[child]!) child++;
      if (heap[child]! >= key) break;
      heap[hole] = heap[child]!;
      hole = child;
    }
    heap[hole] = key;
    return top;
  }
}
