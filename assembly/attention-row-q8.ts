/**
 * Attention of a single row over pages of the 8-bit cache, in integers: keys are turned into 16 bits a page at a time,
 * weights take the values' scales with them. Work is cut and merged as in attention-row.ts.
 */
import { AttentionLayer } from "./attention";
import { PARTS, WEIGHTS_BYTES, partBytes, reset, weigh } from "./attention-row";
import { fourScales, keyScales, oneScale, positionsQ8, valueScales } from "./page-q8";
import { interleaveLow, maxLanes, sumEach } from "./simd";

/** Largest query: 5,747 · 16,383 · 16 products a lane fit 32 bits for heads of 64, and in proportion for others. */
const QUERY_ONE: f32 = 16383 * 64;
/** Largest weight: 32,767 · 127 · 32 entries fit 32 bits. */
const WEIGHT_ONE: f32 = 32767;

/** Bytes of scratch that a thread needs. */
export function attentionRowScratchQ8(headSize: i32, pageShift: i32): i32 {
  // Turned keys and their scales, queries and theirs, weights, weights as integers and their scales.
  return (headSize << (pageShift + 1)) + (4 << pageShift) + headSize * 6 + 64 + 3 * <i32>WEIGHTS_BYTES + 3 * (headSize >> 5) * ((2 << pageShift) + 4);
}

/** As `attendRow`, over `layer.stored`; `parts`: [keyHeads][PARTS][group] partial results. */
export function attendRowQ8(layer: AttentionLayer, parts: usize, scratch: usize, thread: i32, threads: i32): void {
  const headSize = layer.headSize;
  const pageShift = layer.pageShift;
  const pageRows = 1 << pageShift;
  const keys = scratch;
  const scales = keys + (<usize>headSize << (pageShift + 1));
  const queries = scales + (<usize>4 << pageShift);
  const queryScales = queries + <usize>headSize * 6;
  const weights = queryScales + 64;
  const integers = weights + 3 * WEIGHTS_BYTES;
  const items = layer.keyHeads * PARTS;
  for (let item = (items * thread) / threads; item < (items * (thread + 1)) / threads; item++) {
    const head = item / PARTS;
    const turn = item % PARTS;
    const entry = layer.stored + (<usize>head << 4);
    const pages = load<usize>(entry);
    const entries = load<i32>(entry, 4);
    const pageCount = (entries + pageRows - 1) >> pageShift;
    const first = (pageCount * turn) / PARTS;
    const end = (pageCount * (turn + 1)) / PARTS;
    let part = parts + partBytes(headSize) * layer.group * item;
    for (let query = 0; query < layer.group; ) {
      const taken = min(layer.group - query, 3);
      const source = layer.queries + (<usize>(head * layer.group + query) * headSize << 2);
      for (let each = 0; each < taken; each++) {
        reset(part + partBytes(headSize) * each, headSize);
        quantiseQuery(source + (<usize>(each * headSize) << 2), queries + <usize>(each * headSize * 2), queryScales + (<usize>each << 2), headSize);
      }
      // A single head is a pair whose second weighs nothing and goes to the same place.
      if (taken == 1) memory.fill(integers + integersBytes(headSize, pageShift), 0, integersBytes(headSize, pageShift));
      for (let index = first; index < end; index++) {
        const page = load<usize>(pages + (<usize>index << 2));
        const count = min(pageRows, entries - (index << pageShift));
        turnKeys(page, keys, scales, count, headSize, pageShift, layer.shortRotations);
        if (taken == 3) scoreEntries(3, queries, queryScales, keys, scales, weights, count, headSize);
        else scoreEntries(2, queries, queryScales, keys, scales, weights, count, headSize);
        for (let each = 0; each < taken; each++) {
          weigh(weights + WEIGHTS_BYTES * each, count, layer.scale * layer.keyFactor, part + partBytes(headSize) * each, headSize);
          quantiseWeights(weights + WEIGHTS_BYTES * each, page, integers + <usize>each * integersBytes(headSize, pageShift), count, headSize, pageShift);
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

/** [headSize] f32 to i16 in the order of a page's keys: [block][16 low, 16 high]. */
function quantiseQuery(source: usize, target: usize, scale: usize, headSize: i32): void {
  let largest = f32x4.splat(0);
  for (let i: usize = 0; i < <usize>headSize << 2; i += 16) largest = f32x4.max(largest, f32x4.abs(v128.load(source + i)));
  const one = max(
    max(f32x4.extract_lane(largest, 0), f32x4.extract_lane(largest, 1)),
    max(f32x4.extract_lane(largest, 2), f32x4.extract_lane(largest, 3)),
  );
  const limit: f32 = QUERY_ONE / <f32>headSize;
  store<f32>(scale, one / limit);
  const inverse = f32x4.splat(one > 0 ? limit / one : 0);
  for (let block: usize = 0; block < <usize>(headSize >> 5); block++) {
    for (let side: usize = 0; side < 2; side++) {
      for (let i: usize = 0; i < 64; i += 32) {
        const at = source + (block << 6) + side * (<usize>headSize << 1) + i;
        v128.store(
          target + (block << 6) + (side << 5) + (i >> 1),
          i16x8.narrow_i32x4_s(
            i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(at), inverse))),
            i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(at, 16), inverse))),
          ),
        );
      }
    }
  }
}

/**
 * A page's keys, turned: [n][headSize] i16 in the page's order and [n] f32 scales.
 * @param rotations rotation rows: headSize/2 cosines, then as many sines, i16 of 16,384 for 1
 */
function turnKeys(page: usize, target: usize, scales: usize, count: i32, headSize: i32, pageShift: i32, rotations: usize): void {
  const zero = i64x2.splat(0);
  let source = page;
  for (let entry = 0; entry < count; entry++) {
    const position = load<i32>(positionsQ8(page, headSize, pageShift) + (<usize>entry << 2));
    let rotation = rotations + (<usize>headSize << 1) * position;
    let scale = keyScales(page, headSize, pageShift) + (<usize>entry << 1);
    let largest: f32 = 0;
    for (let block = 0; block < headSize >> 5; block++) largest = max(largest, oneScale(scale + (<usize>(block << pageShift) << 1)));
    // Eight bits come from widening; the product with 16,384 / 32,768 takes one, that with 8,192 / 32,768 two: what is
    // left is five more than a key has, and leaves the other factor 15.
    store<f32>(scales + (<usize>entry << 2), largest * (<f32>1 / 32));
    const inverse: f32 = largest > 0 ? <f32>8192 / largest : 0;
    for (let block = 0; block < headSize >> 5; block++) {
      const share = i16x8.splat(<i16>(oneScale(scale) * inverse));
      const low = v128.load(source);
      const high = v128.load(source, 16);
      const low0 = i8x16.shuffle(zero, low, 0, 16, 0, 17, 0, 18, 0, 19, 0, 20, 0, 21, 0, 22, 0, 23);
      const high0 = i8x16.shuffle(zero, high, 0, 16, 0, 17, 0, 18, 0, 19, 0, 20, 0, 21, 0, 22, 0, 23);
      turnEight(low0, high0, rotation, headSize, share, target);
      const low1 = i8x16.shuffle(zero, low, 0, 24, 0, 25, 0, 26, 0, 27, 0, 28, 0, 29, 0, 30, 0, 31);
      const high1 = i8x16.shuffle(zero, high, 0, 24, 0, 25, 0, 26, 0, 27, 0, 28, 0, 29, 0, 30, 0, 31);
      turnEight(low1, high1, rotation + 16, headSize, share, target + 16);
      rotation += 32;
      target += 64;
      source += 32;
      scale += <usize>2 << pageShift;
    }
  }
}

/** Eight pairs of dimensions: the low ones to `target`, the high ones 32 bytes behind. */
// @ts-ignore: decorator
@inline
function turnEight(low: v128, high: v128, rotation: usize, sines: i32, share: v128, target: usize): void {
  const cosine = v128.load(rotation);
  const sine = v128.load(rotation + sines);
  const turnedLow = i16x8.sub(i16x8.q15mulr_sat_s(low, cosine), i16x8.q15mulr_sat_s(high, sine));
  const turnedHigh = i16x8.add(i16x8.q15mulr_sat_s(high, cosine), i16x8.q15mulr_sat_s(low, sine));
  v128.store(target, i16x8.q15mulr_sat_s(turnedLow, share));
  v128.store(target, i16x8.q15mulr_sat_s(turnedHigh, share), 32);
}

/** Products of `taken` (a constant, 2 or 3) query heads with a page's turned keys: [taken][64] f32 scores. */
// @ts-ignore: decorator
@inline
function scoreEntries(
  taken: i32, queries: usize, queryScales: usize, keys: usize, scales: usize, scores: usize, count: i32, headSize: i32,
): void {
  const rowBytes = <usize>headSize << 1;
  const end = queries + rowBytes;
  const first = v128.load64_zero(queryScales);
  const ab = interleaveLow(first, first);
  const c = f32x4.splat(taken > 2 ? load<f32>(queryScales, 8) : 0);
  for (let entry = 0; entry < count; entry += 2) {
    let q0 = queries, q1 = q0 + rowBytes, q2 = q1 + rowBytes, k0 = keys, k1 = keys + rowBytes;
    let a0 = i32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0;
    while (q0 < end) {
      const v = v128.load(k0);
      const w = v128.load(k1);
      let x = v128.load(q0);
      a0 = i32x4.add(a0, i32x4.dot_i16x8_s(v, x));
      a1 = i32x4.add(a1, i32x4.dot_i16x8_s(w, x));
      x = v128.load(q1);
      b0 = i32x4.add(b0, i32x4.dot_i16x8_s(v, x));
      b1 = i32x4.add(b1, i32x4.dot_i16x8_s(w, x));
      if (taken > 2) {
        x = v128.load(q2);
        c0 = i32x4.add(c0, i32x4.dot_i16x8_s(v, x));
        c1 = i32x4.add(c1, i32x4.dot_i16x8_s(w, x));
      }
      q0 += 16; q1 += 16; q2 += 16; k0 += 16; k1 += 16;
    }
    const both = v128.load64_splat(scales);
    // The lanes' sum could pass 32 bits.
    const sums = sumEach(f32x4.convert_i32x4_s(a0), f32x4.convert_i32x4_s(a1), f32x4.convert_i32x4_s(b0), f32x4.convert_i32x4_s(b1));
    const products = f32x4.mul(f32x4.mul(sums, both), ab);
    v128.store64_lane(scores, products, 0);
    v128.store64_lane(scores + WEIGHTS_BYTES, products, 1);
    if (taken > 2) {
      const last = sumEach(f32x4.convert_i32x4_s(c0), f32x4.convert_i32x4_s(c1), a0, a1);
      v128.store64_lane(scores + 2 * WEIGHTS_BYTES, f32x4.mul(f32x4.mul(last, both), c), 0);
    }
    scores += 8;
    scales += 8;
    keys += rowBytes << 1;
  }
}

/** Weights times the values' scales as i16, block by block, and the scale of each block. */
function quantiseWeights(weights: usize, page: usize, target: usize, count: i32, headSize: i32, pageShift: i32): void {
  let scales = valueScales(page, headSize, pageShift);
  const blocks = <usize>(headSize >> 5);
  const factors = target + (blocks << (pageShift + 1));
  const bytes = <usize>((count + 3) & ~3) << 2;
  for (let block: usize = 0; block < blocks; block++) {
    let largest = f32x4.splat(0);
    // Scales behind the last entry may be anything; its weight is 0, and pmax passes over NaN.
    for (let i: usize = 0; i < bytes; i += 16) {
      largest = f32x4.pmax(largest, f32x4.mul(v128.load(weights + i), fourScales(scales + (i >> 1))));
    }
    const one = maxLanes(largest);
    store<f32>(factors + (block << 2), one / WEIGHT_ONE);
    const inverse = f32x4.splat(one > 0 ? WEIGHT_ONE / one : 0);
    for (let i: usize = 0; i < bytes; i += 16) {
      const product = f32x4.mul(f32x4.mul(v128.load(weights + i), fourScales(scales + (i >> 1))), inverse);
      const integers = i32x4.trunc_sat_f32x4_s(f32x4.nearest(product));
      v128.store64_lane(target + (i >> 1), i16x8.narrow_i32x4_s(integers, integers), 0);
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
