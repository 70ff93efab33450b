/** The matrix product of two plain row-major matrices, packed as the kernel wants them. */
import type { Core } from "../core/core.ts";

/** target [rows, columns] = a [rows, depth] x b [depth, columns], all f32 at byte addresses; a depth of 0 writes nothing. @throws MemoryError */
export function multiply(
  core: Core,
  a: number,
  b: number,
  target: number,
  { rows, depth, columns }: { rows: number; depth: number; columns: number },
): void {
  const tiles = Math.ceil(rows / 4);
  const panels = Math.ceil(columns / 8);
  const stride = panels * 8;
  const sizes = { activations: tiles * 16 * depth, weights: stride * depth * 4, results: tiles * 16 * stride };
  core.borrow(sizes, ({ activations, weights, results }) => {
    core.kernels.packRowsF32(a, activations, rows, depth, 0, tiles);
    core.kernels.packTransposedF32(b, depth, columns, weights);
    core.kernels.matmulF32(activations, weights, results, stride * 4, rows, depth, 0, panels, 0);
    for (let row = 0; row < rows; row++) {
      core.f32(target + row * columns * 4, columns).set(core.f32(results + row * stride * 4, columns));
    }
  });
}
