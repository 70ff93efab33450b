/**
 * The integer matrix product for prefill with 8-bit and 4-bit weights.
 *
 * A panel of 8 columns is widened, one depth block at a time, to integers of at most 13 bits with one scale a column;
 * activations are integers of at most 12 bits with one scale a row and depth block. 256 products of 4,095 · 2,047 fit
 * 32 bits, so `i32x4.dot_i16x8_s` sums a whole block exactly and the scales are applied once a block. Widening costs
 * a few per cent when many rows share it, and leaves no error that matters beside that of the weights themselves.
 */

/** Rows of the widened panel are pairs along the depth: [depth/2][8 columns][2] i16. Longest block, in steps of depth. */
export const INTEGER_BLOCK: i32 = 256;

/** Depth of the blocks that `depth` (a multiple of 32) is cut into: as even as may be, multiples of 32, at most 256. */
export function integerBlock(depth: i32): i32 {
  const blocks = (depth + INTEGER_BLOCK - 1) / INTEGER_BLOCK;
  return (((depth >> 5) + blocks - 1) / blocks) << 5;
}

/**
 * results (+)= one depth block of a widened panel times all rows.
 * @param activations [rows/4][pairs][4][2] i16
 * @param rowScales [rows rounded up to 4] f32
 * @param panel [pairs][8][2] i16, followed by its 8 column scales
 */
export function panelI16(
  activations: usize, rowScales: usize, panel: usize, results: usize, resultStride: usize,
  rows: i32, pairs: i32, keep: i32,
): void {
  const tileBytes = <usize>pairs << 4;
  const columnScales = panel + (<usize>pairs << 5);
  for (let row = 0; row < rows; row += 4) {
    tileI16(activations, activations + tileBytes, panel, rowScales, columnScales, results, resultStride, keep);
    activations += tileBytes;
    rowScales += 16;
    results += resultStride << 2;
  }
}

function tileI16(a: usize, aEnd: usize, w: usize, rowScales: usize, columnScales: usize, c: usize, stride: usize, keep: i32): void {
  let a00 = i32x4.splat(0), a01 = a00, a10 = a00, a11 = a00, a20 = a00, a21 = a00, a30 = a00, a31 = a00;
  while (a < aEnd) {
    const w0 = v128.load(w);
    const w1 = v128.load(w, 16);
    let s = v128.load32_splat(a);
    a00 = i32x4.add(a00, i32x4.dot_i16x8_s(s, w0)); a01 = i32x4.add(a01, i32x4.dot_i16x8_s(s, w1));
    s = v128.load32_splat(a, 4);
    a10 = i32x4.add(a10, i32x4.dot_i16x8_s(s, w0)); a11 = i32x4.add(a11, i32x4.dot_i16x8_s(s, w1));
    s = v128.load32_splat(a, 8);
    a20 = i32x4.add(a20, i32x4.dot_i16x8_s(s, w0)); a21 = i32x4.add(a21, i32x4.dot_i16x8_s(s, w1));
    s = v128.load32_splat(a, 12);
    a30 = i32x4.add(a30, i32x4.dot_i16x8_s(s, w0)); a31 = i32x4.add(a31, i32x4.dot_i16x8_s(s, w1));
    a += 16;
    w += 32;
  }
  scaleRow(c, a00, a01, rowScales, columnScales, keep);
  scaleRow(c + stride, a10, a11, rowScales + 4, columnScales, keep);
  scaleRow(c + stride * 2, a20, a21, rowScales + 8, columnScales, keep);
  scaleRow(c + stride * 3, a30, a31, rowScales + 12, columnScales, keep);
}

// @ts-ignore: decorator
@inline
function scaleRow(c: usize, low: v128, high: v128, rowScale: usize, columnScales: usize, keep: i32): void {
  const scale = v128.load32_splat(rowScale);
  let left = f32x4.mul(f32x4.convert_i32x4_s(low), f32x4.mul(scale, v128.load(columnScales)));
  let right = f32x4.mul(f32x4.convert_i32x4_s(high), f32x4.mul(scale, v128.load(columnScales, 16)));
  if (keep) {
    left = f32x4.add(left, v128.load(c));
    right = f32x4.add(right, v128.load(c, 16));
  }
  v128.store(c, left);
  v128.store(c, right, 16);
}
