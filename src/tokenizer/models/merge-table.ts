/** The merges of a byte-pair vocabulary in typed arrays: what a pair of ids becomes, and how early. */
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

interface MergeTableOptions {
  /** highest id + 1 */
  readonly size: number;
  /** Of each merge, below 2^26, the lowest first; some may be equal. Without them merges come in the order of the list. */
  readonly ranks?: Int32Array;
  /** Of two merges of the same pair, whether the later counts. */
  readonly lastCounts?: boolean;
}

/** What pairs of ids become. */
export class MergeTable {
  /** How many symbols there are in what merges make, ascending; none when that cannot be said, and `neighbours` is of no use then. */
  readonly lengths: readonly number[];
  /** Symbols that some merge brings together: the last of its left part and the first of its right. */
  readonly neighbours: PairSet;
  readonly #merges: Int32Array;
  readonly #ranks: Int32Array | undefined;
  /** Open addressing by hash: a merge's number + 1, or 0. */
  readonly #slots: Int32Array;

  /** @param merges in ids: [count, 3], two parts and what they become */
  constructor(merges: Int32Array, { size, ranks, lastCounts = false }: MergeTableOptions) {
    this.#merges = merges;
    this.#ranks = ranks;
    const count = merges.length / 3;
    this.#slots = new Int32Array(powerOfTwo(count * 2));
    for (let merge = 0; merge < count; merge++) {
      const slot = this.#slot(merges[merge * 3]!, merges[merge * 3 + 1]!);
      if (this.#slots[slot] === 0 || lastCounts) this.#slots[slot] = merge + 1;
    }
    this.neighbours = new PairSet(count);
    this.lengths = this.#collectNeighbours(size);
  }

  /** The merge of a pair, or -1. */
  find(left: number, right: number): number {
    return this.#slots[this.#slot(left, right)]! - 1;
  }

  rank(merge: number): number {
    return this.#ranks ? this.#ranks[merge]! : merge;
  }

  /** What a merge makes. */
  result(merge: number): number {
    return this.#merges[merge * 3 + 2]!;
  }

  #slot(left: number, right: number): number {
    const merges = this.#merges;
    const mask = this.#slots.length - 1;
    for (let slot = hashPair(left, right) & mask; ; slot = (slot + 1) & mask) {
      const at = (this.#slots[slot]! - 1) * 3;
      if (at < 0 || (merges[at] === left && merges[at + 1] === right)) return slot;
    }
  }

  /** Fills `neighbours`. @returns the lengths; none when merges go in circles */
  #collectNeighbours(size: number): number[] {
    const merges = this.#merges;
    const firsts = Int32Array.from({ length: size }, (_, id) => id);
    const lasts = firsts.slice();
    const lengths = new Int32Array(size).fill(1);
    // A part is nearly always made before the whole; where it is not, another round brings it in.
    for (let round = 0, changed = true; changed; round++) {
      changed = false;
      if (round === 64) return [];
      for (let at = 0; at < merges.length; at += 3) {
        const left = merges[at]!;
        const right = merges[at + 1]!;
        const result = merges[at + 2]!;
        const length = lengths[left]! + lengths[right]!;
        if (firsts[result] === firsts[left] && lasts[result] === lasts[right] && lengths[result]! >= length) continue;
        firsts[result] = firsts[left]!;
        lasts[result] = lasts[right]!;
        lengths[result] = Math.min(Math.max(lengths[result]!, length), 1 << 24);
        changed = true;
      }
    }
    const all = new Set([1]);
    for (let at = 0; at < merges.length; at += 3) {
      this.neighbours.add(lasts[merges[at]!]!, firsts[merges[at + 1]!]!);
      all.add(lengths[merges[at + 2]!]!);
    }
    return [...all].sort((a, b) => a - b);
  }
}

/** What stands for the barred tokens that merges come to: the parts they are merged from. */
export function expandBarred(merges: Int32Array, barred: ReadonlySet<number>): Map<number, readonly number[]> {
  const expansions = new Map<number, readonly number[]>();
  const expand = (id: number) => expansions.get(id) ?? [id];
  for (let at = 0; at < merges.length; at += 3) {
    const result = merges[at + 2]!;
    if (barred.has(result) && !expansions.has(result))
      expansions.set(result, [...expand(merges[at]!), ...expand(merges[at + 1]!)]);
  }
  return expansions;
}
