/** Where in the session's text the entries of one head stood: a list kept by compression, then a run of what came after. */

/** Immutable; heads that keep the same entries share one. Position 0 is the first token of the session. */
export class Positions {
  readonly #kept: Int32Array;
  /** Position of the first entry behind the kept ones. */
  readonly #next: number;

  constructor(kept: Int32Array = new Int32Array(0), next = 0) {
    this.#kept = kept;
    this.#next = next;
  }

  at(entry: number): number {
    return entry < this.#kept.length ? this.#kept[entry]! : this.#next + entry - this.#kept.length;
  }

  /** The positions of the first `length` entries. */
  toArray(length: number): Int32Array {
    return Int32Array.from({ length }, (_, entry) => this.at(entry));
  }

  /** What remains of the first `length` entries when the text goes on at `next`. */
  truncate(length: number, next: number): Positions {
    return length < this.#kept.length ? new Positions(this.#kept.slice(0, length), next) : this;
  }

  /** What remains without the first `count` entries. */
  drop(count: number): Positions {
    const kept = this.#kept.length;
    return count <= kept
      ? new Positions(this.#kept.slice(count), this.#next)
      : new Positions(new Int32Array(0), this.#next + count - kept);
  }

  /** What remains when only `indices` are kept and the text goes on at `next`. */
  keep(indices: Int32Array, next: number): Positions {
    return new Positions(
      indices.map((index) => this.at(index)),
      next,
    );
  }
}
