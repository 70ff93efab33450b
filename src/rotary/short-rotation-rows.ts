/** Rotation rows in 16 bits, for decoding from an 8-bit cache: assembly/attention-row-q8.ts turns keys by them. */
import { SHORT_ROTATION_BITS } from "../core/layouts.ts";
import { PositionRows } from "./position-rows.ts";

/** What stands for 1. */
const ONE = 1 << SHORT_ROTATION_BITS;

/** A row for each position: for every four pairs of dimensions (cosine, -sine) four times, then (sine, cosine), i16. */
export class ShortRotationRows extends PositionRows {
  protected fill(pointer: number, first: number, count: number): void {
    const half = this.frequencies.length;
    const rows = new Int16Array(this.core.memory.buffer, pointer, count * half * 4);
    for (let row = 0; row < count; row++) {
      for (let i = 0; i < half; i++) {
        const angle = (first + row) * this.frequencies[i]!;
        const cosine = Math.round((i < this.still.first ? Math.cos(angle) : this.still.cosine) * ONE);
        const sine = Math.round(Math.sin(angle) * ONE);
        const place = row * half * 4 + (i >> 2) * 16 + (i & 3) * 2;
        rows[place] = cosine;
        rows[place + 1] = -sine;
        rows[place + 8] = sine;
        rows[place + 9] = cosine;
      }
    }
  }
}
