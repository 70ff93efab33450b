/**
 * Byte-pair merging: neighbouring symbols become one, the pair of the best rank first and of equal ranks the leftmost, until no pair has
 * a rank (Sennrich et al. 2016; SentencePiece's bigrams by score are the same with another rank).
 *
 * A queue of pairs over linked symbols makes it O(n log n) whatever the text.
 */

/** Merges symbols; what they are and which pairs merge is for the kinds of it to say. */
export abstract class Merger<Symbols> {
  /** The symbols: [count] ids, -1 for what is no entry of the vocabulary. */
  ids = new Int32Array(64);
  /** After `merge`, the symbol behind each that is left; that of the last is `count`. */
  next = new Int32Array(64);
  /** What `rank` found that its pair becomes. */
  protected merged = -1;
  #previous = new Int32Array(64);
  /** Of the pair that begins at a symbol: its rank, -1 for none, and what it becomes. */
  #ranks = new Int32Array(64);
  #results = new Int32Array(64);
  #heap = new Float64Array(64);
  #heapLength = 0;

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

  /**
   * The rank of the symbols at `left` and `right`, which is its neighbour and ends before `end`.
   *
   * @returns -1 when they do not merge; otherwise sets `merged`
   */
  protected abstract rank(left: number, right: number, end: number): number;

  /** The first `count` symbols as they are now, for `load`. */
  abstract save(count: number): Symbols;

  /** Takes `count` of the saved symbols from `start` on in place of its own. */
  abstract load(symbols: Symbols, start: number, count: number): void;

  /** Merges the first `count` symbols. */
  merge(count: number): void {
    for (let at = 0; at < count; at++) {
      this.next[at] = at + 1;
      this.#previous[at] = at - 1;
    }
    if (count < 24) this.#mergeFew(count);
    else this.#mergeMany(count);
  }

  /** The best pair is looked for afresh each time. */
  #mergeFew(count: number): void {
    const { ids, next } = this;
    const ranks = this.#ranks;
    for (let at = 0; at < count; at++) this.#rankAt(at, count);
    for (;;) {
      let best = -1;
      for (let at = 0; at < count; at = next[at]!) {
        if (ranks[at]! >= 0 && (best < 0 || ranks[at]! < ranks[best]!)) best = at;
      }
      if (best < 0) return;
      this.#join(best, count);
      ids[best] = this.#results[best]!;
      this.#rankAt(best, count);
      if (best > 0) this.#rankAt(this.#previous[best]!, count);
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

  #rankAt(at: number, count: number): number {
    const right = this.next[at]!;
    const rank = right < count ? this.rank(at, right, this.next[right]!) : -1;
    this.#ranks[at] = rank;
    this.#results[at] = this.merged;
    return rank;
  }

  #queue(at: number, count: number): void {
    const rank = this.#rankAt(at, count);
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

/** More than a merger is ever given symbols; a key of the queue holds a rank times this and a position, exactly. */
const positions = 2 ** 26;
