/** Rows of cosines and sines in the core's memory, by which its kernels turn queries and keys. */
import type { Core } from "../core/core.ts";
import { ArgumentError } from "../errors.ts";
import { PositionRows } from "./position-rows.ts";

/**
 * Rows of cosines and sines in the core's memory, one for each position: [half] cosines, then [half] sines, f32.
 * Angles are formed in f64, so that re-rotation by a distance agrees with rotation to a place within f32's rounding.
 */
export class RotationRows extends PositionRows {
  /** Pairs of dimensions that turn. */
  get half(): number {
    return this.frequencies.length;
  }

  protected fill(pointer: number, first: number, count: number): void {
    writeRotationRows(this.core, pointer, count, (row) => first + row, this.frequencies);
    const { half } = this;
    if (this.still.first >= half) return;
    const rows = this.core.f32(pointer, count * half * 2);
    for (let row = 0; row < count; row++) {
      rows.fill(this.still.cosine, row * half * 2 + this.still.first, row * half * 2 + half);
    }
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
  frequencies: ArrayLike<number>,
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
