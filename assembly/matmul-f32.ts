/**
 * The f32 matrix product for prefill, on packed operands.
 *
 * Weights [columns, depth] stand in panels of 8 columns, [columns/8][depth][8]; activations in tiles of 4 rows,
 * [rows/4][depth][4]. A tile of 4 x 8 results lives in 8 registers while the depth is walked one step at a time:
 * unrolling makes V8 11 (Node 20) spill the accumulators.
 */
import { put, SUM_TERMS } from "./matvec-f32";
import { multiplyAdd } from "./simd";

/** Depth walked with one panel, so that its part (24 KB) stays in the first-level cache. */
const DEPTH_BLOCK: i32 = 768;

/**
 * results (+)= activations · weightsᵀ for the panels [firstPanel, endPanel).
 * `results` is row-major with `resultStride` bytes a row and room for rows rounded up to 4.
 */
export function matmulF32(
  activations: usize, weights: usize, results: usize, resultStride: usize,
  rows: i32, depth: i32, firstPanel: i32, endPanel: i32, accumulate: i32,
): void {
  for (let start = 0; start < depth; start += DEPTH_BLOCK) {
    const block = min(DEPTH_BLOCK, depth - start);
    const blockBytes = <usize>block << 4;
    const keep = accumulate | i32(start > 0);
    for (let panel = firstPanel; panel < endPanel; panel++) {
      const panelStart = weights + ((<usize>panel * depth + start) << 5);
      let target = results + (<usize>panel << 5);
      let tile = activations + (<usize>start << 4);
      for (let row = 0; row < rows; row += 4) {
        tileF32(tile, tile + blockBytes, panelStart, target, resultStride, keep);
        tile += <usize>depth << 4;
        target += resultStride << 2;
      }
    }
  }
}

/** One tile of 4 rows x 8 columns, summed in chains of SUM_TERMS. */
function tileF32(a: usize, aEnd: usize, w: usize, c: usize, stride: usize, keep: i32): void {
  while (a < aEnd) {
    const chainEnd = min(a + (SUM_TERMS << 4), aEnd);
    let a00 = f32x4.splat(0), a01 = a00, a10 = a00, a11 = a00, a20 = a00, a21 = a00, a30 = a00, a31 = a00;
    while (a < chainEnd) {
      const w0 = v128.load(w);
      const w1 = v128.load(w, 16);
      let s = v128.load32_splat(a);
      a00 = multiplyAdd(s, w0, a00); a01 = multiplyAdd(s, w1, a01);
      s = v128.load32_splat(a, 4);
      a10 = multiplyAdd(s, w0, a10); a11 = multiplyAdd(s, w1, a11);
      s = v128.load32_splat(a, 8);
      a20 = multiplyAdd(s, w0, a20); a21 = multiplyAdd(s, w1, a21);
      s = v128.load32_splat(a, 12);
      a30 = multiplyAdd(s, w0, a30); a31 = multiplyAdd(s, w1, a31);
      a += 16;
      w += 32;
    }
    put(c, a00, a01, keep);
    put(c + stride, a10, a11, keep);
    put(c + stride * 2, a20, a21, keep);
    put(c + stride * 3, a30, a31, keep);
    keep = 1;
  }
}
