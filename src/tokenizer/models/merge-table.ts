/** The merges of a byte-pair vocabulary in typed arrays: what a pair of ids becomes, and how early. */
import { Merger } from "./merger.ts";
import { powerOfTwo } from "./token-table.ts";

const hashPair = (left: number, right: number) => {
  const hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca6b);
  return hash ^ (hash >>> 15);
};

/** Pairs of numbers, as a Bloom filter of one hash: what was added is always found, and now and then what was not. */
export class PairSet {
  readonly #bits: Uint32Array;

  /** @param expected about how many pairs are added at most */
  constructor(expected: number) {
    this.#bits = new Uint32Array(powerOfTwo(Math.min(Math.max(expected * 8, 1 << 13), 1 << 22)) / 32);
  }

  add(left: number, right: number): void {
    const bit = hashPair(left, right) & (this.#bits.length * 32 - 1);
    this.#bits[bit >>> 5]! |= 1 << bit;
  }

  has(left: number, right: number): boolean {
    const bit = hashPair(left, right) & (this.#bits.length * 32 - 1);
    return ((this.#bits[bit >>> 5]! >>> bit) & 1) === 1;
  }
}

/** Merges by rank, in ids: two parts and what they become. */
interface MergeLists {
  readonly lefts: Int32Array;
  readonly rights: Int32Array;
  readonly results: Int32Array;
  /** highest id + 1 */
  readonly size: number;
  /** Of two merges of the same pair, whether the later counts. */
  readonly lastCounts: boolean;
}

/** What pairs of ids become; a merge's index is its rank. */
export class MergeTable {
  /** How many symbols there are in what merges make, ascending; none when that cannot be said, and `neighbours` is of no use then. */
  readonly lengths: readonly number[];
  /** Symbols that some merge brings together: the last of its left part and the first of its right. */
  readonly neighbours: PairSet;
  readonly #lefts: Int32Array;
  readonly #rights: Int32Array;
  readonly #results: Int32Array;
  /** Open addressing by hash: rank + 1, or 0. */
  readonly #slots: Int32Array;

  constructor({ lefts, rights, results, size, lastCounts }: MergeLists) {
    this.#lefts = lefts;
    this.#rights = rights;
    this.#results = results;
    this.#slots = new Int32Array(powerOfTwo(lefts.length * 2));
    for (let rank = 0; rank < lefts.length; rank++) {
      const slot = this.#slot(lefts[rank]!, rights[rank]!);
      if (this.#slots[slot] === 0 || lastCounts) this.#slots[slot] = rank + 1;
    }
    this.neighbours = new PairSet(lefts.length);
    this.lengths = this.#collectNeighbours(size);
  }

  /** The rank of a pair, or -1. */
  rank(left: number, right: number): number {
    return this.#slots[this.#slot(left, right)]! - 1;
  }

  /** What the pair of a rank becomes. */
  result(rank: number): number {
    return this.#results[rank]!;
  }

  #slot(left: number, right: number): number {
    const mask = this.#slots.length - 1;
    for (let slot = hashPair(left, right) & mask; ; slot = (slot + 1) & mask) {
      const rank = this.#slots[slot]! - 1;
      if (rank < 0 || (this.#lefts[rank] === left && this.#rights[rank] === right)) return slot;
    }
  }

  /** Fills `neighbours`. @returns the lengths; none when merges go in circles */
  #collectNeighbours(size: number): number[] {
    const firsts = Int32Array.from({ length: size }, (_, id) => id);
    const lasts = firsts.slice();
    const lengths = new Int32Array(size).fill(1);
    const count = this.#lefts.length;
    // A part is nearly always made before the whole; where it is not, another round brings it in.
    for (let round = 0, changed = true; changed; round++) {
      changed = false;
      if (round === 64) return [];
      for (let rank = 0; rank < count; rank++) {
        const result = this.#results[rank]!;
        const left = this.#lefts[rank]!;
        const right = this.#rights[rank]!;
        const length = lengths[left]! + lengths[right]!;
        if (firsts[result] === firsts[left] && lasts[result] === lasts[right] && lengths[result]! >= length) continue;
        firsts[result] = firsts[left]!;
        lasts[result] = lasts[right]!;
        lengths[result] = Math.min(Math.max(lengths[result]!, length), 1 << 24);
        changed = true;
      }
    }
    const all = new Set([1]);
    for (let rank = 0; rank < count; rank++) {
      this.neighbours.add(lasts[this.#lefts[rank]!]!, firsts[this.#rights[rank]!]!);
      all.add(lengths[this.#results[rank]!]!);
    }
    return [...all].sort((a, b) => a - b);
  }
}

/** Merges ids by the table. */
export class TableMerger extends Merger<Int32Array> {
  readonly #table: MergeTable;

  constructor(table: MergeTable) {
    super();
    this.#table = table;
  }

  protected override rank(left: number, right: number): number {
    const rank = this.#table.rank(this.ids[left]!, this.ids[right]!);
    if (rank >= 0) this.merged = this.#table.result(rank);
    return rank;
  }

  override save(count: number): Int32Array {
    return this.ids.slice(0, count);
  }

  override load(symbols: Int32Array, start: number, count: number): void {
    this.reserve(count);
    this.ids.set(symbols.subarray(start, start + count));
  }
}
