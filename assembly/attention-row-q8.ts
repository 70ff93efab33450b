/**
 * Attention of a single row over pages of the 8-bit cache, in integers: keys are turned into 16 bits on their way to the
 * product, weights take the values' scales with them. Work is cut and merged as in attention-row.ts.
 */
import { HeadRecord, LayerRecord, SHORT_ROTATION_BITS } from "../src/core/layouts";
import { PARTS, WEIGHTS_BYTES, partBytes, reset, weigh } from "./attention-row";
import { fourScales, keyScales, positionsQ8, twoScales, valueScales } from "./page-q8";
import { interleaveLow, sumEachI32 } from "./simd";
import { address, number, recordAt, word } from "./words";

/** Largest query: a block's 16 pairs, each at most 127 · √2 · 128 times 4,096 · √2, fit 32 bits. */
const QUERY_ONE: f32 = 4096;
/** Bits that a turned key drops of those behind the point of a rotation: 7 are left behind its quant's 8. */
const TURN_SHIFT: i32 = SHORT_ROTATION_BITS - 7;
/** Largest weight: 32,767 · 127 · 32 entries fit 32 bits. */
const WEIGHT_ONE: f32 = 32767;
/** 1.5 · 2^23: added to an f32, it leaves the nearest integer in the low bits. */
const MAGIC: f32 = 12582912;

/** Bytes of scratch that a thread needs. */
export function attentionRowScratchQ8(headSize: i32, pageShift: i32): i32 {
  // Queries and their scales, weights, the scales' inverses, weights as integers and their scales.
  return headSize * 6 + 64 + 3 * <i32>WEIGHTS_BYTES + (headSize >> 5) * 4 + 3 * (headSize >> 5) * ((2 << pageShift) + 4);
}

/** As `attendRow`, over the pages that are stored; `parts`: [kvHeads][PARTS][group] partial results. */
export function attendRowQ8(layer: usize, parts: usize, scratch: usize, thread: i32, threads: i32): void {
  const group = word(layer, LayerRecord.group);
  const headSize = word(layer, LayerRecord.headSize);
  const pageShift = word(layer, LayerRecord.pageShift);
  const pageRows = 1 << pageShift;
  const queries = scratch;
  const queryScales = queries + <usize>headSize * 6;
  const weights = queryScales + 64;
  const inverses = weights + 3 * WEIGHTS_BYTES;
  const integers = inverses + (<usize>(headSize >> 5) << 2);
  const items = word(layer, LayerRecord.kvHeads) * PARTS;
  for (let item = (items * thread) / threads; item < (items * (thread + 1)) / threads; item++) {
    const head = item / PARTS;
    const turn = item % PARTS;
    const entry = recordAt(address(layer, LayerRecord.stored), head, HeadRecord.words);
    const pages = address(entry, HeadRecord.pages);
    const entries = word(entry, HeadRecord.entries);
    const pageCount = (entries + pageRows - 1) >> pageShift;
    const first = (pageCount * turn) / PARTS;
    const end = (pageCount * (turn + 1)) / PARTS;
    let part = parts + partBytes(headSize) * group * item;
    for (let query = 0; query < group; ) {
      const taken = min(group - query, 3);
      const source = address(layer, LayerRecord.queries) + (<usize>(head * group + query) * headSize << 2);
      for (let each = 0; each < taken; each++) {
        reset(part + partBytes(headSize) * each, headSize);
        quantiseQuery(source + (<usize>(each * headSize) << 2), queries + <usize>(each * headSize * 2), queryScales + (<usize>each << 2), headSize);
      }
      // A single head is a pair whose second weighs nothing and goes to the same place.
      if (taken == 1) memory.fill(integers + integersBytes(headSize, pageShift), 0, integersBytes(headSize, pageShift));
      for (let index = first; index < end; index++) {
        const page = address(pages, index);
        const count = min(pageRows, entries - (index << pageShift));
        if (taken == 3) scoreEntries(3, queries, queryScales, page, address(layer, LayerRecord.shortRotations), weights, count, headSize, pageShift);
        else scoreEntries(2, queries, queryScales, page, address(layer, LayerRecord.shortRotations), weights, count, headSize, pageShift);
        invertScales(page, inverses, count, headSize, pageShift);
        for (let each = 0; each < taken; each++) {
          const own = weights + WEIGHTS_BYTES * each;
          const largest = weigh(own, count, number(layer, LayerRecord.scale) * number(layer, LayerRecord.keyFactor), part + partBytes(headSize) * each, headSize);
          quantiseWeights(own, largest, count, page, inverses, integers + <usize>each * integersBytes(headSize, pageShift), headSize, pageShift);
        }
        if (taken == 3) addValues(3, integers, page, part + 16, partBytes(headSize), count, headSize, pageShift);
        else addValues(2, integers, page, part + 16, taken == 2 ? partBytes(headSize) : 0, count, headSize, pageShift);
      }
      part += partBytes(headSize) * taken;
      query += taken;
    }
  }
}

/** Bytes of one query head's integer weights: [headSize/32][n] i16, then [headSize/32] f32 scales. */
// @ts-ignore: decorator
@inline
function integersBytes(headSize: i32, pageShift: i32): usize {
  return <usize>(headSize >> 5) * ((2 << pageShift) + 4);
}

/** [headSize] f32 to i16 in the order of turned keys: for every four pairs of dimensions the low ones, then the high ones. */
function quantiseQuery(source: usize, target: usize, scale: usize, headSize: i32): void {
  let largest = f32x4.splat(0);
  for (let i: usize = 0; i < <usize>headSize << 2; i += 16) largest = f32x4.max(largest, f32x4.abs(v128.load(source + i)));
  const one = max(
    max(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
    max(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
  );
  // A turned key's unit is a 128th of its quant's.
  store<f32>(scale, one / (QUERY_ONE * 128));
  const inverse = f32x4.splat(one > 0 ? QUERY_ONE / one : 0);
  const half = <usize>headSize << 1;
  for (let i: usize = 0; i < half; i += 16) {
    v128.store(
      target + i,
      i16x8.narrow_i32x4_s(
        i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(source + i), inverse))),
        i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(source + half + i), inverse))),
      ),
    );
  }
}

/** Four pairs of a key, turned: the low ones, then the high ones. */
// @ts-ignore: decorator
@inline
function turnFour(key: usize, rotation: usize): v128 {
  const pairs = v128.load8x8_s(key);
  return i16x8.narrow_i32x4_s(
    i32x4.shr_s(i32x4.dot_i16x8_s(pairs, v128.load(rotation)), TURN_SHIFT),
    i32x4.shr_s(i32x4.dot_i16x8_s(pairs, v128.load(rotation, 16)), TURN_SHIFT),
  );
}

/**
 * Products of `taken` (a constant, 2 or 3) query heads with a page's turned keys: [taken][64] f32 scores.
 * @param rotations for each position and four pairs: (cosine, -sine) four times, then (sine, cosine), i16 of 16,384 for 1
 */
// @ts-ignore: decorator
@inline
function scoreEntries(
  taken: i32, queries: usize, queryScales: usize, page: usize, rotations: usize, scores: usize, count: i32, headSize: i32, pageShift: i32,
): void {
  const rowBytes = <usize>headSize << 1;
  const first = v128.load64_zero(queryScales);
  const ab = interleaveLow(first, first);
  const c = f32x4.splat(taken > 2 ? load<f32>(queryScales, 8) : 0);
  const positions = positionsQ8(page, headSize, pageShift);
  const keyEnd = <usize>headSize;
  let scales = keyScales(page, headSize, pageShift);
  let key = page;
  for (let entry = 0; entry < count; entry += 2) {
    // Behind the last entry, that entry again.
    const other = min(entry + 1, count - 1);
    let r0 = rotations + (rowBytes << 1) * load<i32>(positions + (<usize>entry << 2));
    let r1 = rotations + (rowBytes << 1) * load<i32>(positions + (<usize>other << 2));
    let k0 = key, k1 = page + <usize>(other * headSize);
    let q0 = queries;
    let scale = scales;
    let sumsAb = f32x4.splat(0), sumsC = sumsAb;
    const end = k0 + keyEnd;
    while (k0 < end) {
      const blockEnd = k0 + 32;
      let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0;
      while (k0 < blockEnd) {
        const v = turnFour(k0, r0), w = turnFour(k1, r1);
        let x = v128.load(q0);
        a0 = i32x4.add(a0, i32x4.dot_i16x8_s(v, x)); a1 = i32x4.add(a1, i32x4.dot_i16x8_s(w, x));
        x = v128.load(q0 + rowBytes);
        b0 = i32x4.add(b0, i32x4.dot_i16x8_s(v, x)); b1 = i32x4.add(b1, i32x4.dot_i16x8_s(w, x));
        if (taken > 2) {
          x = v128.load(q0 + (rowBytes << 1));
          c0 = i32x4.add(c0, i32x4.dot_i16x8_s(v, x)); c1 = i32x4.add(c1, i32x4.dot_i16x8_s(w, x));
        }
        q0 += 16; k0 += 8; k1 += 8; r0 += 32; r1 += 32;
      }
      const pair = twoScales(scale);
      scale += <usize>2 << pageShift;
      sumsAb = f32x4.add(sumsAb, f32x4.mul(f32x4.convert_i32x4_s(sumEachI32(a0, a1, b0, b1)), pair));
      if (taken > 2) sumsC = f32x4.add(sumsC, f32x4.mul(f32x4.convert_i32x4_s(sumEachI32(c0, c1, c0, c1)), pair));
    }
    const products = f32x4.mul(sumsAb, ab);
    v128.store64_lane(scores, products, 0);
    v128.store64_lane(scores + WEIGHTS_BYTES, products, 1);
    if (taken > 2) v128.store64_lane(scores + 2 * WEIGHTS_BYTES, f32x4.mul(sumsC, c), 0);
    scores += 8;
    scales += 4;
    key += keyEnd << 1;
  }
}

/** What takes the values' scales in a page to integers, for each block: [headSize/32] f32, infinite where all are 0. */
function invertScales(page: usize, target: usize, count: i32, headSize: i32, pageShift: i32): void {
  let scales = valueScales(page, headSize, pageShift);
  for (let block = 0; block < headSize >> 5; block++) {
    let top = i64x2.splat(0);
    for (let i = 0; i < (count & ~7); i += 8) top = i16x8.max_u(top, v128.load(scales + (<usize>i << 1)));
    top = i16x8.max_u(top, i8x16.shuffle(top, top, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
    top = i16x8.max_u(top, i8x16.shuffle(top, top, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3));
    let largest = max(<u32>i16x8.extract_lane_u(top, 0), <u32>i16x8.extract_lane_u(top, 1));
    for (let i = count & ~7; i < count; i++) largest = max(largest, <u32>load<u16>(scales + (<usize>i << 1)));
    store<f32>(target, WEIGHT_ONE / reinterpret<f32>(largest << 16));
    target += 4;
    scales += <usize>2 << pageShift;
  }
}

/**
 * A page's weights times the values' scales as i16, block by block.
 * @param weights room for a multiple of 8
 * @param inverses [headSize/32], from `invertScales`
 * @param target [headSize/32][n] i16, then [headSize/32] f32, what 1 of them stands for
 */
function quantiseWeights(
  weights: usize, largest: f32, count: i32, page: usize, inverses: usize, target: usize, headSize: i32, pageShift: i32,
): void {
  const end = <usize>count << 2;
  // Scales behind the last entry may be anything: their weight is 0, and pmax makes 0 of NaN.
  memory.fill(weights + end, 0, ((<usize>count + 7) & ~7) * 4 - end);
  let scales = valueScales(page, headSize, pageShift);
  const factors = target + (<usize>(headSize >> 5) << (pageShift + 1));
  const magic = f32x4.splat(MAGIC);
  const zero = f32x4.splat(0);
  for (let block: usize = 0; block < <usize>(headSize >> 5) << 2; block += 4) {
    const inverse = load<f32>(inverses + block);
    store<f32>(factors + block, largest / inverse);
    const unit = f32x4.splat(inverse / largest);
    for (let i: usize = 0; i < end; i += 32) {
      const low = f32x4.mul(f32x4.mul(v128.load(weights + i), unit), fourScales(scales + (i >> 1)));
      const high = f32x4.mul(f32x4.mul(v128.load(weights + i, 16), unit), fourScales(scales + (i >> 1) + 8));
      v128.store(
        target + (i >> 1),
        i16x8.narrow_i32x4_s(
          i32x4.sub(f32x4.add(f32x4.pmax(zero, low), magic), magic),
          i32x4.sub(f32x4.add(f32x4.pmax(zero, high), magic), magic),
        ),
      );
    }
    target += <usize>2 << pageShift;
    scales += <usize>2 << pageShift;
  }
}

/** outputs += weighted values, for `taken` (a constant, 2 or 3) query heads whose outputs lie `step` bytes apart. */
// @ts-ignore: decorator
@inline
function addValues(
  taken: i32, integers: usize, page: usize, outputs: usize, step: usize, count: i32, headSize: i32, pageShift: i32,
): void {
  const next = integersBytes(headSize, pageShift);
  const stride = <usize>headSize << 1;
  const values = page + (<usize>headSize << pageShift);
  const factors = integers + (<usize>(headSize >> 5) << (pageShift + 1));
  const end = <usize>((count + 1) >> 1) << 2;
  for (let i: usize = 0; i < <usize>headSize; i += 8) {
    const block = i >> 5;
    let v = values + (i << 1);
    let w = integers + (block << (pageShift + 1));
    const last = w + end;
    let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0;
    while (w < last) {
      const both = v128.load(v);
      const low = i16x8.extend_low_i8x16_s(both);
      const high = i16x8.extend_high_i8x16_s(both);
      let x = v128.load32_splat(w);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(low, x));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(high, x));
      x = v128.load32_splat(w + next);
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(low, x));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(high, x));
      if (taken > 2) {
        x = v128.load32_splat(w + next * 2);
        c0 = i32x4.add(c0, i32x4.dot_i16x8_s(low, x));
        c1 = i32x4.add(c1, i32x4.dot_i16x8_s(high, x));
      }
      w += 4;
      v += stride;
    }
    addEight(outputs + (i << 2), a0, a1, factors + (block << 2));
    addEight(outputs + step + (i << 2), b0, b1, factors + next + (block << 2));
    if (taken > 2) addEight(outputs + step * 2 + (i << 2), c0, c1, factors + next * 2 + (block << 2));
  }
}

// @ts-ignore: decorator
@inline
function addEight(outputs: usize, low: v128, high: v128, factor: usize): void {
  const scale = v128.load32_splat(factor);
  v128.store(outputs, f32x4.add(v128.load(outputs), f32x4.mul(f32x4.convert_i32x4_s(low), scale)));
  v128.store(outputs, f32x4.add(v128.load(outputs, 16), f32x4.mul(f32x4.convert_i32x4_s(high), scale)), 16);
}
