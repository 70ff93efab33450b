/**
 * 4-bit weights in blocks of 32 along the depth: weight = scale · quant + minimum, quants 0 to 15.
 *
 * A panel of 8 columns, for each block: its 8 scales and minima, then [4 groups][2 halves] of 16 bytes. A 16-bit lane
 * stands for a column (4 in a half) and the parity of the depth, and holds four quants: those of the group's four pairs,
 * the last of them less 8.
 * Scales and minima are pairs of f16 where the file's are (160 bytes a block), else pairs of f32 (192 bytes).
 *
 * Such a lane, as a signed number v = q0 + 16 q1 + 256 q2 + 4096 (q3 - 8), needs no masks to be multiplied with: with
 * arithmetic shifts, q0 = v - 16 (v >> 4), q1 = (v >> 4) - 16 (v >> 8) and so on, so that
 *   x0 q0 + x1 q1 + x2 q2 + x3 q3 = x0 v + (x1 - 16 x0) (v >> 4) + (x2 - 16 x1) (v >> 8) + (x3 - 16 x2) (v >> 12) + 8 x3.
 * `quantiseRowQ4` prepares those differences of the activations, and 8 times the sum of the x3.
 */
import { Q4_BLOCK_BYTES, WIDE_Q4_BLOCK_BYTES } from "../src/core/layouts";
import { integerBlock, panelI16 } from "./matmul-i16";
import { put } from "./matvec-f32";
import { twice } from "./weights-q8";

/** f16 bits moved to f32's places stand for the number times 2^-112; this undoes it. */
const HALF_UNIT: f32 = reinterpret<f32>(0x77800000);
/** Largest widened weight: 12 bits and sign. */
const WIDENED: f32 = 4095;

/** Bytes of a block's quants. */
export const QUANT_BYTES: usize = 128;

/** Bytes of the scales and minima of a block. */
// @ts-ignore: decorator
@inline
export function scaleBytes(wide: bool): usize {
  return <usize>(wide ? WIDE_Q4_BLOCK_BYTES : Q4_BLOCK_BYTES) - QUANT_BYTES;
}

/** Scales of four columns, f16 ones times 2^-112. */
// @ts-ignore: decorator
@inline
function scalesOf(pairs: usize, wide: bool): v128 {
  if (wide) return i8x16.shuffle(v128.load(pairs), v128.load(pairs, 16), 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
  return v128.and(i32x4.shr_s(i32x4.shl(v128.load(pairs), 16), 3), i32x4.splat(0x8fffe000));
}

/** Minima of four columns, f16 ones times 2^-112. */
// @ts-ignore: decorator
@inline
function minimaOf(pairs: usize, wide: bool): v128 {
  if (wide) return i8x16.shuffle(v128.load(pairs), v128.load(pairs, 16), 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
  return v128.and(i32x4.shr_s(v128.load(pairs), 3), i32x4.splat(0x8fffe000));
}

/**
 * results (+)= weights · one quantised row for the panels [firstPanel, endPanel).
 * @param activations, scales, sums as `quantiseRowQ4` gives them
 * @param wide whether scales and minima are f32
 */
export function matvecQ4(
  activations: usize, scales: usize, sums: usize, weights: usize, results: usize,
  depth: i32, firstPanel: i32, endPanel: i32, accumulate: i32, wide: bool,
): void {
  const panelBytes = <usize>(depth >> 5) * (scaleBytes(wide) + QUANT_BYTES);
  const half = (endPanel - firstPanel) >> 1;
  let w = weights + panelBytes * firstPanel;
  let c = results + (<usize>firstPanel << 5);
  for (let panel = 0; panel < half; panel++) {
    if (wide) twoPanels(activations, depth, scales, sums, w, w + panelBytes * half, c, c + (<usize>half << 5), accumulate, true);
    else twoPanels(activations, depth, scales, sums, w, w + panelBytes * half, c, c + (<usize>half << 5), accumulate, false);
    w += panelBytes;
    c += 32;
  }
  if ((endPanel - firstPanel) & 1) {
    const last = <usize>(endPanel - 1);
    onePanel(activations, depth, scales, sums, weights + panelBytes * last, results + (last << 5), accumulate, wide);
  }
}

// @ts-ignore: decorator
@inline
function twoPanels(x: usize, depth: i32, scales: usize, sums: usize, w0: usize, w1: usize, c0: usize, c1: usize, accumulate: i32, wide: bool): void {
  const step = integerBlock(depth);
  const xEnd = x + (<usize>depth << 1);
  let t00 = f32x4.splat(0), t01 = t00, t10 = t00, t11 = t00;
  while (x < xEnd) {
    const stepEnd = min(x + (<usize>step << 1), xEnd);
    let f00 = f32x4.splat(0), f01 = f00, f10 = f00, f11 = f00;
    while (x < stepEnd) {
      const blockEnd = x + 64;
      const s0 = w0;
      const s1 = w1;
      w0 += scaleBytes(wide);
      w1 += scaleBytes(wide);
      let a00 = v128.load32_splat(sums, 4), a01 = a00, a10 = a00, a11 = a00;
      while (x < blockEnd) {
        const v00 = v128.load(w0), v01 = v128.load(w0, 16), v10 = v128.load(w1), v11 = v128.load(w1, 16);
        const x0 = v128.load32_splat(x), x1 = v128.load32_splat(x, 4), x2 = v128.load32_splat(x, 8), x3 = v128.load32_splat(x, 12);
        a00 = i32x4.add(a00, group(v00, x0, x1, x2, x3));
        a01 = i32x4.add(a01, group(v01, x0, x1, x2, x3));
        a10 = i32x4.add(a10, group(v10, x0, x1, x2, x3));
        a11 = i32x4.add(a11, group(v11, x0, x1, x2, x3));
        x += 16;
        w0 += 32;
        w1 += 32;
      }
      const sum = v128.load32_splat(sums);
      sums += 8;
      f00 = addBlock(f00, a00, s0, sum, wide);
      f01 = addBlock(f01, a01, s0 + (scaleBytes(wide) >> 1), sum, wide);
      f10 = addBlock(f10, a10, s1, sum, wide);
      f11 = addBlock(f11, a11, s1 + (scaleBytes(wide) >> 1), sum, wide);
    }
    const scale = f32x4.splat(wide ? load<f32>(scales) : load<f32>(scales) * HALF_UNIT);
    scales += 4;
    t00 = f32x4.add(t00, f32x4.mul(f00, scale));
    t01 = f32x4.add(t01, f32x4.mul(f01, scale));
    t10 = f32x4.add(t10, f32x4.mul(f10, scale));
    t11 = f32x4.add(t11, f32x4.mul(f11, scale));
  }
  put(c0, t00, t01, accumulate);
  put(c1, t10, t11, accumulate);
}

/** Four quants of each lane times the four pairs of activations that they meet, as differences. */
// @ts-ignore: decorator
@inline
function group(v: v128, x0: v128, x1: v128, x2: v128, x3: v128): v128 {
  return i32x4.add(
    i32x4.add(i32x4.dot_i16x8_s(x0, v), i32x4.dot_i16x8_s(x1, i16x8.shr_s(v, 4))),
    i32x4.add(i32x4.dot_i16x8_s(x2, i16x8.shr_s(v, 8)), i32x4.dot_i16x8_s(x3, i16x8.shr_s(v, 12))),
  );
}

/** sum so far + scale · (quants · activations) + minimum · sum of activations. */
// @ts-ignore: decorator
@inline
function addBlock(soFar: v128, products: v128, pairs: usize, sum: v128, wide: bool): v128 {
  return f32x4.add(
    f32x4.add(soFar, f32x4.mul(f32x4.convert_i32x4_s(products), scalesOf(pairs, wide))),
    f32x4.mul(sum, minimaOf(pairs, wide)),
  );
}

function onePanel(x: usize, depth: i32, scales: usize, sums: usize, w: usize, c: usize, accumulate: i32, wide: bool): void {
  const step = integerBlock(depth);
  const xEnd = x + (<usize>depth << 1);
  let t0 = f32x4.splat(0), t1 = t0;
  while (x < xEnd) {
    const stepEnd = min(x + (<usize>step << 1), xEnd);
    let f0 = f32x4.splat(0), f1 = f0;
    while (x < stepEnd) {
      const blockEnd = x + 64;
      const pairs = w;
      w += scaleBytes(wide);
      let a0 = v128.load32_splat(sums, 4), a1 = a0;
      while (x < blockEnd) {
        const x0 = v128.load32_splat(x), x1 = v128.load32_splat(x, 4), x2 = v128.load32_splat(x, 8), x3 = v128.load32_splat(x, 12);
        a0 = i32x4.add(a0, group(v128.load(w), x0, x1, x2, x3));
        a1 = i32x4.add(a1, group(v128.load(w, 16), x0, x1, x2, x3));
        x += 16;
        w += 32;
      }
      const sum = v128.load32_splat(sums);
      sums += 8;
      f0 = addBlock(f0, a0, pairs, sum, wide);
      f1 = addBlock(f1, a1, pairs + (scaleBytes(wide) >> 1), sum, wide);
    }
    const scale = f32x4.splat(wide ? load<f32>(scales) : load<f32>(scales) * HALF_UNIT);
    scales += 4;
    t0 = f32x4.add(t0, f32x4.mul(f0, scale));
    t1 = f32x4.add(t1, f32x4.mul(f1, scale));
  }
  put(c, t0, t1, accumulate);
}

/** results (+)= quantised activations · weightsᵀ for the panels [firstPanel, endPanel). `scratch`: 4,128 bytes of this thread. */
export function matmulQ4(
  activations: usize, rowScales: usize, weights: usize, results: usize, resultStride: usize,
  rows: i32, depth: i32, firstPanel: i32, endPanel: i32, accumulate: i32, wide: bool, scratch: usize,
): void {
  const paddedRows = (rows + 3) & ~3;
  const blockBytes = scaleBytes(wide) + QUANT_BYTES;
  const step = integerBlock(depth);
  for (let start = 0; start < depth; start += step) {
    const block = min(step, depth - start);
    const keep = accumulate | i32(start > 0);
    for (let panel = firstPanel; panel < endPanel; panel++) {
      widenQ4(weights + (<usize>panel * (depth >> 5) + (start >> 5)) * blockBytes, block >> 5, wide, scratch);
      panelI16(activations, rowScales, scratch, results + (<usize>panel << 5), resultStride, rows, block >> 1, keep);
    }
    activations += (<usize>paddedRows * block) << 1;
    rowScales += <usize>paddedRows << 2;
  }
}

/** Widens `blocks` blocks of a panel to [pairs][8][2] i16 and its 8 column scales. */
function widenQ4(source: usize, blocks: i32, wide: bool, target: usize): void {
  const columnScales = target + (<usize>blocks << 9);
  for (let half = 0; half < 2; half++) {
    widenHalf(source + (scaleBytes(wide) >> 1) * half, source + scaleBytes(wide) + <usize>(half << 4), blocks, wide, target + (half << 4), columnScales + (half << 4));
  }
}

/** Four columns: `pairs` are the first block's scales and minima, `quants` its quants. */
function widenHalf(pairs: usize, quants: usize, blocks: i32, wide: bool, target: usize, columnScales: usize): void {
  const blockBytes = scaleBytes(wide) + QUANT_BYTES;
  const unit = f32x4.splat(wide ? 1 : HALF_UNIT);
  let largest = f32x4.splat(0);
  for (let block = 0; block < blocks; block++) {
    const minimum = f32x4.mul(minimaOf(pairs + blockBytes * block, wide), unit);
    const top = f32x4.add(minimum, f32x4.mul(f32x4.mul(scalesOf(pairs + blockBytes * block, wide), unit), f32x4.splat(15)));
    largest = f32x4.pmax(largest, f32x4.pmax(f32x4.abs(minimum), f32x4.abs(top)));
  }
  v128.store(columnScales, f32x4.div(largest, f32x4.splat(WIDENED)));
  const inverse = v128.and(f32x4.div(f32x4.splat(WIDENED), largest), f32x4.gt(largest, f32x4.splat(0)));
  // A quant times 2^11, times its step in 16ths of a widened unit, over 2^15.
  const steps = f32x4.mul(inverse, f32x4.splat(16));
  const high = i16x8.splat(0x7800);
  const fourth = i16x8.splat(<i16>0x8000);
  for (let block = 0; block < blocks; block++) {
    const step = twice(i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(f32x4.mul(scalesOf(pairs, wide), unit), steps))));
    const offset = twice(i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(f32x4.mul(minimaOf(pairs, wide), unit), inverse))));
    let from = quants;
    for (let group = 0; group < 4; group++) {
      const v = v128.xor(v128.load(from), fourth);
      v128.store(target, i16x8.add(i16x8.q15mulr_sat_s(v128.and(i16x8.shl(v, 11), high), step), offset));
      v128.store(target, i16x8.add(i16x8.q15mulr_sat_s(v128.and(i16x8.shl(v, 7), high), step), offset), 32);
      v128.store(target, i16x8.add(i16x8.q15mulr_sat_s(v128.and(i16x8.shl(v, 3), high), step), offset), 64);
      v128.store(target, i16x8.add(i16x8.q15mulr_sat_s(v128.and(i16x8.shr_u(v, 1), high), step), offset), 96);
      target += 128;
      from += 32;
    }
    pairs += blockBytes;
    quants += blockBytes;
  }
}
