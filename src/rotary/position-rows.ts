/** Rows in the core's memory, one for each position: those of the first positions for good, of others in a stretch that moves. */
import type { Core } from "../core/core.ts";
import type { RotaryFrequencies } from "./frequencies.ts";

/** Positions up to which rows are kept for good: 2 MB of rotation rows for heads of 64. */
const KEPT_POSITIONS = 8192;
/** Rows are made so many at a time, so that decoding does not make them anew for every token. */
const STEP = 256;

function roundUp(count: number): number {
  return Math.ceil(count / STEP) * STEP;
}

/** Rows of one kind. */
export abstract class PositionRows {
  protected readonly core: Core;
  /** [pairs], radians a position. */
  protected readonly frequencies: Float32Array;
  /** The cosine of pairs from `first` on, which do not turn. */
  protected readonly still: { readonly first: number; readonly cosine: number };
  readonly #rowBytes: number;
  /** Rows of the positions 0, 1, 2, ... */
  #kept = { pointer: 0, count: 0 };
  /** Rows of a stretch of positions beyond those. */
  #window = { pointer: 0, capacity: 0, first: 0, count: 0 };

  /** @param still by default none but those whose frequency is 0, whose cosine is 1 */
  constructor(
    core: Core,
    { inverseFrequencies }: RotaryFrequencies,
    still = { first: Number.POSITIVE_INFINITY, cosine: 1 },
  ) {
    this.core = core;
    this.frequencies = inverseFrequencies;
    this.still = still;
    // Two numbers of f32, or four of i16, for a pair.
    this.#rowBytes = inverseFrequencies.length * 8;
  }

  /** Writes the rows of `count` positions from `first` on. */
  protected abstract fill(pointer: number, first: number, count: number): void;

  /** Address of the rows of the positions 0 to count - 1; valid until the next call. @throws MemoryError */
  fromZero(count: number): number {
    if (count > this.#kept.count) {
      const capacity = Math.max(roundUp(count), Math.min(2 * this.#kept.count, KEPT_POSITIONS));
      const pointer = this.core.allocate(capacity * this.#rowBytes);
      if (this.#kept.pointer) this.core.free(this.#kept.pointer);
      this.#kept = { pointer, count: capacity };
      this.fill(pointer, 0, capacity);
    }
    return this.#kept.pointer;
  }

  /**
   * Rows of the positions `first` to first + count - 1: the address of the row of position `base`. Valid until the next call.
   * @throws MemoryError
   */
  around(first: number, count: number): { pointer: number; base: number } {
    if (first + count <= KEPT_POSITIONS) return { pointer: this.fromZero(first + count), base: 0 };
    if (this.#window.capacity < count) {
      if (this.#window.pointer) this.core.free(this.#window.pointer);
      this.#window = { pointer: 0, capacity: 0, first: 0, count: 0 };
      const capacity = roundUp(count);
      this.#window = { pointer: this.core.allocate(capacity * this.#rowBytes), capacity, first: 0, count: 0 };
    }
    const window = this.#window;
    if (first < window.first || first + count > window.first + window.count) {
      window.first = first;
      window.count = window.capacity;
      this.fill(window.pointer, first, window.capacity);
    }
    return { pointer: window.pointer, base: window.first };
  }

  /**
   * The same as the address at which the row of position 0 would stand, modulo 2^32 as the core reckons: it is never
   * read where that row is not among those asked for.
   */
  origin(first: number, count: number): number {
    const { pointer, base } = this.around(first, count);
    return (pointer - base * this.#rowBytes) >>> 0;
  }

  /** Takes the memory that rows of single positions up to `last` need, or of `count` next to each other. @throws MemoryError */
  reserve(last: number, count = 1): void {
    this.fromZero(Math.min(last + 1, KEPT_POSITIONS));
    this.around(Math.max(0, last + 1 - count), count);
  }

  dispose(): void {
    for (const { pointer } of [this.#kept, this.#window]) if (pointer) this.core.free(pointer);
    this.#kept = { pointer: 0, count: 0 };
    this.#window = { pointer: 0, capacity: 0, first: 0, count: 0 };
  }
}
