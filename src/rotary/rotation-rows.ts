/** Rows of cosines and sines in the core's memory, by which its kernels turn queries and keys. */
import type { Core } from "../core/core.ts";
import { ArgumentError } from "../errors.ts";
import type { RotaryFrequencies } from "./frequencies.ts";

/** Positions up to which the rows are kept for good: 2 MB for heads of 64. */
const KEPT_POSITIONS = 8192;
/** Rows are made so many at a time, so that decoding does not make them anew for every token. */
const STEP = 256;

function roundUp(count: number): number {
  return Math.ceil(count / STEP) * STEP;
}

/**
 * Rows of cosines and sines in the core's memory, one for each position: [half] cosines, then [half] sines, f32.
 * Angles are formed in f64, so that re-rotation by a distance agrees with rotation to a place within f32's rounding.
 */
export class RotationRows {
  readonly #core: Core;
  readonly #frequencies: Float32Array;
  readonly #rowBytes: number;
  /** Rows of the positions 0, 1, 2, ... */
  #kept = { pointer: 0, count: 0 };
  /** Rows of a stretch of positions beyond those. */
  #window = { pointer: 0, capacity: 0, first: 0, count: 0 };

  constructor(core: Core, frequencies: RotaryFrequencies) {
    this.#core = core;
    this.#frequencies = frequencies.inverseFrequencies;
    this.#rowBytes = frequencies.inverseFrequencies.length * 8;
  }

  /** Pairs of dimensions that turn. */
  get half(): number {
    return this.#frequencies.length;
  }

  /** Address of the rows of the positions 0 to count - 1; valid until the next call. */
  fromZero(count: number): number {
    if (count > this.#kept.count) {
      const capacity = Math.max(roundUp(count), Math.min(2 * this.#kept.count, KEPT_POSITIONS));
      const pointer = this.#core.allocate(capacity * this.#rowBytes);
      if (this.#kept.pointer) this.#core.free(this.#kept.pointer);
      this.#kept = { pointer, count: capacity };
      this.#fill(pointer, 0, capacity);
    }
    return this.#kept.pointer;
  }

  /** Rows of the positions `first` to first + count - 1: the address of the row of position `base`. Valid until the next call. */
  around(first: number, count: number): { pointer: number; base: number } {
    if (first + count <= KEPT_POSITIONS) return { pointer: this.fromZero(first + count), base: 0 };
    if (this.#window.capacity < count) {
      if (this.#window.pointer) this.#core.free(this.#window.pointer);
      this.#window = { pointer: 0, capacity: 0, first: 0, count: 0 };
      const capacity = roundUp(count);
      this.#window = { pointer: this.#core.allocate(capacity * this.#rowBytes), capacity, first: 0, count: 0 };
    }
    const window = this.#window;
    if (first < window.first || first + count > window.first + window.count) {
      window.first = first;
      window.count = window.capacity;
      this.#fill(window.pointer, first, window.capacity);
    }
    return { pointer: window.pointer, base: window.first };
  }

  dispose(): void {
    for (const { pointer } of [this.#kept, this.#window]) if (pointer) this.#core.free(pointer);
    this.#kept = { pointer: 0, count: 0 };
    this.#window = { pointer: 0, capacity: 0, first: 0, count: 0 };
  }

  #fill(pointer: number, first: number, count: number): void {
    writeRotationRows(this.#core, pointer, count, (row) => first + row, this.#frequencies);
  }
}

/**
 * Writes `count` rows, each [half] cosines and [half] sines, the angles formed in f64.
 * @param distanceOf by how many positions a row turns
 * @param factor scale of what is turned
 * @throws ArgumentError for an angle that is not finite
 */
export function writeRotationRows(
  core: Core,
  pointer: number,
  count: number,
  distanceOf: (row: number) => number,
  frequencies: Float32Array,
  factor = 1,
): void {
  const half = frequencies.length;
  const rows = core.f32(pointer, count * half * 2);
  for (let row = 0; row < count; row++) {
    const distance = distanceOf(row);
    for (let i = 0; i < half; i++) {
      const angle = distance * frequencies[i]!;
      if (!Number.isFinite(angle)) throw new ArgumentError(`A turn by ${distance} times ${frequencies[i]} is no angle`);
      rows[row * half * 2 + i] = Math.cos(angle) * factor;
      rows[row * half * 2 + half + i] = Math.sin(angle) * factor;
    }
  }
}
