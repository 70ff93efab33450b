/** Rotation rows in 16 bits, for decoding from an 8-bit cache: assembly/attention-row-q8.ts turns keys by them. */
import type { Core } from "../core/core.ts";
import { SHORT_ROTATION_BITS } from "../core/layouts.ts";
import type { RotaryFrequencies } from "./frequencies.ts";

/** What stands for 1. */
const ONE = 1 << SHORT_ROTATION_BITS;

/** A row for each position: for every four pairs of dimensions (cosine, -sine) four times, then (sine, cosine), i16. */
export class ShortRotationRows {
  readonly #core: Core;
  readonly #frequencies: Float32Array;
  #pointer = 0;
  #count = 0;

  constructor(core: Core, frequencies: RotaryFrequencies) {
    this.#core = core;
    this.#frequencies = frequencies.inverseFrequencies;
  }

  /** Address of the rows of the positions 0 to count - 1; valid until the next call. @throws MemoryError */
  fromZero(count: number): number {
    if (count <= this.#count) return this.#pointer;
    const half = this.#frequencies.length;
    const capacity = Math.ceil((count * 5) / 4 / 64) * 64;
    const pointer = this.#core.allocate(capacity * half * 8);
    const rows = new Int16Array(this.#core.memory.buffer, pointer, capacity * half * 4);
    for (let row = 0; row < capacity; row++) {
      for (let i = 0; i < half; i++) {
        const angle = row * this.#frequencies[i]!;
        const cosine = Math.round(Math.cos(angle) * ONE);
        const sine = Math.round(Math.sin(angle) * ONE);
        const place = row * half * 4 + (i >> 2) * 16 + (i & 3) * 2;
        rows[place] = cosine;
        rows[place + 1] = -sine;
        rows[place + 8] = sine;
        rows[place + 9] = cosine;
      }
    }
    this.dispose();
    this.#pointer = pointer;
    this.#count = capacity;
    return pointer;
  }

  dispose(): void {
    if (this.#pointer) this.#core.free(this.#pointer);
    this.#pointer = 0;
    this.#count = 0;
  }
}
