/**
 * 8-bit weights in blocks of 32 along the depth, each block of a column with its f32 scale.
 *
 * A panel of 8 columns: [depth/32] blocks of 288 bytes: 8 scales, then 16 pairs [16][8 columns][2] i8.
 */
import { Q8_BLOCK_BYTES } from "../src/core/layouts";
import { integerBlock, panelI16 } from "./matmul-i16";
import { put } from "./matvec-f32";

/** Weights of 7 bits and sign are widened to 4,064: 13 bits. */
const WIDENED_ONE: f32 = 32;

/** results (+)= quantised activations · weightsᵀ for the panels [firstPanel, endPanel). `scratch`: 4,128 bytes of this thread. */
export function matmulQ8(
  activations: usize, rowScales: usize, weights: usize, results: usize, resultStride: usize,
  rows: i32, depth: i32, firstPanel: i32, endPanel: i32, accumulate: i32, scratch: usize,
): void {
  const paddedRows = (rows + 3) & ~3;
  const step = integerBlock(depth);
  for (let start = 0; start < depth; start += step) {
    const block = min(step, depth - start);
    const keep = accumulate | i32(start > 0);
    for (let panel = firstPanel; panel < endPanel; panel++) {
      widenQ8(weights + (<usize>panel * (depth >> 5) + (start >> 5)) * <usize>Q8_BLOCK_BYTES, block >> 5, scratch);
      panelI16(activations, rowScales, scratch, results + (<usize>panel << 5), resultStride, rows, block >> 1, keep);
    }
    activations += (<usize>paddedRows * block) << 1;
    rowScales += <usize>paddedRows << 2;
  }
}

/** Widens `blocks` blocks of a panel to [pairs][8][2] i16 and its 8 column scales. */
function widenQ8(source: usize, blocks: i32, target: usize): void {
  let low = f32x4.splat(0), high = low;
  for (let block = 0; block < blocks; block++) {
    low = f32x4.pmax(low, f32x4.abs(v128.load(source + <usize>Q8_BLOCK_BYTES * block)));
    high = f32x4.pmax(high, f32x4.abs(v128.load(source + <usize>Q8_BLOCK_BYTES * block, 16)));
  }
  const scales = target + (<usize>blocks << 9);
  v128.store(scales, f32x4.div(low, f32x4.splat(WIDENED_ONE)));
  v128.store(scales, f32x4.div(high, f32x4.splat(WIDENED_ONE)), 16);
  const inverseLow = fixedPointOne(low);
  const inverseHigh = fixedPointOne(high);
  for (let block = 0; block < blocks; block++) {
    const factorLow = twice(i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(source), inverseLow))));
    const factorHigh = twice(i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(source, 16), inverseHigh))));
    source += 32;
    for (let pair = 0; pair < 16; pair++) {
      v128.store(target, i16x8.q15mulr_sat_s(i16x8.shl(v128.load8x8_s(source), 5), factorLow));
      v128.store(target, i16x8.q15mulr_sat_s(i16x8.shl(v128.load8x8_s(source, 8), 5), factorHigh), 16);
      source += 16;
      target += 32;
    }
  }
}

/** 32,767 / v, and 0 where v is 0. */
// @ts-ignore: decorator
@inline
export function fixedPointOne(v: v128): v128 {
  return v128.and(f32x4.div(f32x4.splat(32767), v), f32x4.gt(v, f32x4.splat(0)));
}

/** Four i32 as i16, each twice: the lanes of four columns' pairs. */
// @ts-ignore: decorator
@inline
export function twice(v: v128): v128 {
  return i8x16.shuffle(v, v, 0, 1, 0, 1, 4, 5, 4, 5, 8, 9, 8, 9, 12, 13, 12, 13);
}

/**
 * results (+)= weights · one quantised row for the panels [firstPanel, endPanel).
 * @param activations [depth] i16, at most 32,767, of scale `scale`
 */
export function matvecQ8(
  activations: usize, scale: f32, weights: usize, results: usize, depth: i32, firstPanel: i32, endPanel: i32, accumulate: i32,
): void {
  const panelBytes = <usize>(depth >> 5) * <usize>Q8_BLOCK_BYTES;
  const end = activations + (<usize>depth << 1);
  const half = (endPanel - firstPanel) >> 1;
  let w = weights + panelBytes * firstPanel;
  let c = results + (<usize>firstPanel << 5);
  for (let panel = 0; panel < half; panel++) {
    twoPanels(activations, end, scale, w, w + panelBytes * half, c, c + (<usize>half << 5), accumulate);
    w += panelBytes;
    c += 32;
  }
  if ((endPanel - firstPanel) & 1) {
    const last = <usize>(endPanel - 1);
    onePanel(activations, end, scale, weights + panelBytes * last, results + (last << 5), accumulate);
  }
}

function twoPanels(x: usize, xEnd: usize, scale: f32, w0: usize, w1: usize, c0: usize, c1: usize, accumulate: i32): void {
  let f00 = f32x4.splat(0), f01 = f00, f10 = f00, f11 = f00;
  while (x < xEnd) {
    const blockEnd = x + 64;
    const s0 = w0;
    const s1 = w1;
    w0 += 32;
    w1 += 32;
    let a00 = i32x4.splat(0), a01 = a00, a10 = a00, a11 = a00;
    while (x < blockEnd) {
      const s = v128.load32_splat(x);
      a00 = i32x4.add(a00, i32x4.dot_i16x8_s(s, v128.load8x8_s(w0)));
      a01 = i32x4.add(a01, i32x4.dot_i16x8_s(s, v128.load8x8_s(w0 + 8)));
      a10 = i32x4.add(a10, i32x4.dot_i16x8_s(s, v128.load8x8_s(w1)));
      a11 = i32x4.add(a11, i32x4.dot_i16x8_s(s, v128.load8x8_s(w1 + 8)));
      x += 4;
      w0 += 16;
      w1 += 16;
    }
    f00 = f32x4.add(f00, f32x4.mul(f32x4.convert_i32x4_s(a00), v128.load(s0)));
    f01 = f32x4.add(f01, f32x4.mul(f32x4.convert_i32x4_s(a01), v128.load(s0, 16)));
    f10 = f32x4.add(f10, f32x4.mul(f32x4.convert_i32x4_s(a10), v128.load(s1)));
    f11 = f32x4.add(f11, f32x4.mul(f32x4.convert_i32x4_s(a11), v128.load(s1, 16)));
  }
  const factor = f32x4.splat(scale);
  put(c0, f32x4.mul(f00, factor), f32x4.mul(f01, factor), accumulate);
  put(c1, f32x4.mul(f10, factor), f32x4.mul(f11, factor), accumulate);
}

function onePanel(x: usize, xEnd: usize, scale: f32, w: usize, c: usize, accumulate: i32): void {
  let f0 = f32x4.splat(0), f1 = f0;
  while (x < xEnd) {
    const blockEnd = x + 64;
    const scales = w;
    w += 32;
    let a0 = i32x4.splat(0), a1 = a0;
    while (x < blockEnd) {
      const s = v128.load32_splat(x);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(s, v128.load8x8_s(w)));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(s, v128.load8x8_s(w + 8)));
      x += 4;
      w += 16;
    }
    f0 = f32x4.add(f0, f32x4.mul(f32x4.convert_i32x4_s(a0), v128.load(scales)));
    f1 = f32x4.add(f1, f32x4.mul(f32x4.convert_i32x4_s(a1), v128.load(scales, 16)));
  }
  const factor = f32x4.splat(scale);
  put(c, f32x4.mul(f0, factor), f32x4.mul(f1, factor), accumulate);
}
