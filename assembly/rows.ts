/** Row-wise steps of a layer: RMS norm, softmax, SiLU gate, addition, biases, and the packing of rows for the matrix products. */
import { exponential } from "./exponential";
import { integerBlock } from "./matmul-i16";
import { interleaveHigh, interleaveLow, highHalves, lowHalves, multiplyAdd, sumLanes } from "./simd";

/** Root-mean-square norm (Zhang and Sennrich 2019) of rows of `width` f32: target (+)= x / sqrt(mean x² + epsilon) · weight. */
export function rmsNorm(
  source: usize, weight: usize, target: usize, width: i32, epsilon: f32, firstRow: i32, endRow: i32, accumulate: i32,
): void {
  const bytes = <usize>width << 2;
  const whole = bytes & ~15;
  source += bytes * firstRow;
  target += bytes * firstRow;
  for (let row = firstRow; row < endRow; row++) {
    let even = f64x2.splat(0), odd = even;
    for (let i: usize = 0; i < whole; i += 16) {
      const v = v128.load(source + i);
      const low = f64x2.promote_low_f32x4(v);
      const high = f64x2.promote_low_f32x4(highHalves(v, v));
      even = f64x2.add(even, f64x2.mul(low, low));
      odd = f64x2.add(odd, f64x2.mul(high, high));
    }
    even = f64x2.add(even, odd);
    let total = f64x2.extract_lane(even, 0) + f64x2.extract_lane(even, 1);
    for (let i = whole; i < bytes; i += 4) total += <f64>load<f32>(source + i) * <f64>load<f32>(source + i);
    const factor = <f32>(1 / Math.sqrt(total / <f64>width + <f64>epsilon));
    const scale = f32x4.splat(factor);
    for (let i: usize = 0; i < whole; i += 16) {
      const normed = f32x4.mul(f32x4.mul(v128.load(source + i), scale), v128.load(weight + i));
      v128.store(target + i, accumulate ? f32x4.add(v128.load(target + i), normed) : normed);
    }
    for (let i = whole; i < bytes; i += 4) {
      const normed = load<f32>(source + i) * factor * load<f32>(weight + i);
      store<f32>(target + i, accumulate ? load<f32>(target + i) + normed : normed);
    }
    source += bytes;
    target += bytes;
  }
}

/** target = a + b over `count` f32. */
export function add(a: usize, b: usize, target: usize, count: i32): void {
  const bytes = <usize>count << 2;
  const whole = bytes & ~15;
  for (let i: usize = 0; i < whole; i += 16) v128.store(target + i, f32x4.add(v128.load(a + i), v128.load(b + i)));
  for (let i = whole; i < bytes; i += 4) store<f32>(target + i, load<f32>(a + i) + load<f32>(b + i));
}

/** Rows of `width` f32 become the row `bias`, or it is added to them. */
export function addBias(bias: usize, target: usize, width: i32, firstRow: i32, endRow: i32, accumulate: i32): void {
  const bytes = <usize>width << 2;
  for (let row = firstRow; row < endRow; row++) {
    const at = target + bytes * row;
    if (accumulate) add(at, bias, at, width);
    else memory.copy(at, bias, bytes);
  }
}

/**
 * gate = f(gate) · up over rows of `width` (a multiple of 4) f32, where f(x) = x / (1 + e^-z), and z is x (SiLU) or
 * 2 · sqrt(2/π) · (x + 0.044715 x³): GELU in its tanh form (Hendrycks and Gimpel 2016).
 */
export function gateMultiply(gate: usize, up: usize, width: i32, firstRow: i32, endRow: i32, gelu: i32): void {
  const end = <usize>width * endRow << 2;
  for (let i = <usize>width * firstRow << 2; i < end; i += 16) {
    const x = v128.load(gate + i);
    let z = x;
    if (gelu) z = f32x4.mul(x, multiplyAdd(f32x4.mul(x, x), f32x4.splat(0.07135481627159), f32x4.splat(1.5957691216057)));
    const active = f32x4.div(x, f32x4.add(f32x4.splat(1), exponential(f32x4.neg(z))));
    v128.store(gate + i, f32x4.mul(active, v128.load(up + i)));
  }
}

/** Softmax of rows of `width` f32, in place or not. NaN and +infinity make a row NaN; -infinity has the weight 0. */
export function softmax(source: usize, target: usize, rows: i32, width: i32): void {
  for (let row = 0; row < rows; row++) {
    let largest = -f32.MAX_VALUE;
    for (let i = 0; i < width; i++) largest = max(largest, load<f32>(source + (<usize>i << 2)));
    let sum: f64 = 0;
    for (let i = 0; i < width; i++) {
      const at = <usize>i << 2;
      const below = load<f32>(source + at) - largest;
      let e = f32x4.extract_lane(exponential(f32x4.splat(below)), 0);
      // `exponential` clamps, and takes NaN for its lower bound.
      if (!(below >= -87)) e = below < -87 ? 0 : NaN;
      store<f32>(target + at, e);
      sum += e;
    }
    for (let i = 0; i < width; i++) {
      const at = <usize>i << 2;
      store<f32>(target + at, <f32>(<f64>load<f32>(target + at) / sum));
    }
    source += <usize>width << 2;
    target += <usize>width << 2;
  }
}

/** Packs the row tiles [firstTile, endTile) of [rows][depth] f32 as [rows/4][depth][4]; missing rows of the last tile are zero. */
export function packRowsF32(source: usize, target: usize, rows: i32, depth: i32, firstTile: i32, endTile: i32): void {
  const stride = <usize>depth << 2;
  const whole = stride & ~15;
  target += <usize>firstTile * stride << 2;
  for (let tile = firstTile; tile < endTile; tile++) {
    const r0 = source + <usize>tile * stride * 4;
    const present = rows - (tile << 2);
    for (let i: usize = 0; i < whole; i += 16) {
      const v0 = v128.load(r0 + i);
      const v1 = present > 1 ? v128.load(r0 + stride + i) : f32x4.splat(0);
      const v2 = present > 2 ? v128.load(r0 + stride * 2 + i) : f32x4.splat(0);
      const v3 = present > 3 ? v128.load(r0 + stride * 3 + i) : f32x4.splat(0);
      transposeStore(v0, v1, v2, v3, target);
      target += 64;
    }
    for (let i = whole; i < stride; i += 4) {
      for (let row = 0; row < 4; row++) {
        store<f32>(target, row < present ? load<f32>(r0 + stride * row + i) : 0);
        target += 4;
      }
    }
  }
}

// @ts-ignore: decorator
@inline
function transposeStore(v0: v128, v1: v128, v2: v128, v3: v128, target: usize): void {
  const a = interleaveLow(v0, v1);
  const b = interleaveLow(v2, v3);
  const c = interleaveHigh(v0, v1);
  const d = interleaveHigh(v2, v3);
  v128.store(target, lowHalves(a, b));
  v128.store(target, highHalves(a, b), 16);
  v128.store(target, lowHalves(c, d), 32);
  v128.store(target, highHalves(c, d), 48);
}

/** Largest activation in a product of many rows: 2,047 · 4,095 · 256 fits 32 bits. */
const MATMUL_ONE: f32 = 2047;
/** Largest activation in a matrix-vector product: 32,767 · 127 · 32 fits 32 bits. */
const MATVEC_ONE: f32 = 32767;
/** The same for 4-bit weights: less 16 times another, it fits 16 bits. */
const MATVEC_Q4_ONE: f32 = 1927;

/**
 * Quantises the row tiles [firstTile, endTile) of [rows][depth] f32 to 12-bit integers, block of depth by block of
 * depth: [block][rows/4][pairs][4][2] i16 and [block][rows rounded up to 4] f32 scales.
 */
export function quantiseRows(source: usize, target: usize, scales: usize, rows: i32, depth: i32, firstTile: i32, endTile: i32): void {
  const step = integerBlock(depth);
  const paddedRows = (rows + 3) & ~3;
  const stride = <usize>depth << 2;
  for (let start = 0; start < depth; start += step) {
    const block = min(step, depth - start);
    for (let tile = firstTile; tile < endTile; tile++) {
      for (let lane = 0; lane < 4; lane++) {
        const row = (tile << 2) + lane;
        const scale = scales + (<usize>row << 2);
        const destination = target + (<usize>tile * block << 3) + (<usize>lane << 2);
        if (row < rows) quantise(MATMUL_ONE, source + stride * row + (<usize>start << 2), block, destination, 16, scale);
        else {
          store<f32>(scale, 0);
          for (let pair = 0; pair < block >> 1; pair++) store<i32>(destination + (<usize>pair << 4), 0);
        }
      }
    }
    target += <usize>paddedRows * block << 1;
    scales += <usize>paddedRows << 2;
  }
}

/** Quantises `count` (a multiple of 8) f32 to integers up to `one`: pairs of i16, `stride` bytes from one to the next. */
function quantise(one: f32, source: usize, count: i32, target: usize, stride: usize, scale: usize): void {
  const inverse = f32x4.splat(scaleTo(one, source, count, scale));
  const end = source + (<usize>count << 2);
  while (source < end) {
    const four = pairs(source, inverse);
    v128.store32_lane(target, four, 0);
    v128.store32_lane(target + stride, four, 1);
    target += stride << 1;
    v128.store32_lane(target, four, 2);
    v128.store32_lane(target + stride, four, 3);
    target += stride << 1;
    source += 32;
  }
}

/** Eight values as 16-bit integers. */
// @ts-ignore: decorator
@inline
function pairs(source: usize, inverse: v128): v128 {
  return i16x8.narrow_i32x4_s(integers(source, inverse), integers(source + 16, inverse));
}

/** Quantises one row of `depth` (a multiple of 32) f32 to 16-bit integers, its scale in `scale`. */
export function quantiseRow(source: usize, target: usize, scale: usize, depth: i32): void {
  quantise(MATVEC_ONE, source, depth, target, 4, scale);
}

/** 1.5 · 2^23: a sum with it ends at the unit, and its bits count from those of this. */
const ROUNDER: f32 = 12582912;

/** Four values times `inverse`, rounded to the nearest integer, to the even one halfway; at most 2^22. */
// @ts-ignore: decorator
@inline
function integers(source: usize, inverse: v128): v128 {
  const rounder = f32x4.splat(ROUNDER);
  return i32x4.sub(f32x4.add(f32x4.mul(v128.load(source), inverse), rounder), rounder);
}

/**
 * Quantises one row of `depth` (a multiple of 32) f32 for 4-bit weights: for each four pairs, the first, then each less
 * 16 times the one before it. weights-q4.ts says why.
 * @param target [depth] i16
 * @param scales [blocks of depth] f32, as `integerBlock` cuts them
 * @param sums for each 32: their sum, f32, and 8 times the sum of the fourth pairs, i32
 */
export function quantiseRowQ4(source: usize, target: usize, scales: usize, sums: usize, depth: i32): void {
  const step = integerBlock(depth);
  const zero = i64x2.splat(0);
  for (let start = 0; start < depth; start += step) {
    const block = min(step, depth - start);
    const inverse = f32x4.splat(scaleTo(MATVEC_Q4_ONE, source, block, scales));
    scales += 4;
    const end = source + (<usize>block << 2);
    while (source < end) {
      let lows = zero, highs = zero;
      for (let group = 0; group < 4; group++) {
        const low = integers(source, inverse);
        const high = integers(source + 16, inverse);
        lows = i32x4.add(lows, low);
        highs = i32x4.add(highs, high);
        const pairs = i16x8.narrow_i32x4_s(low, high);
        const before = i8x16.shuffle(zero, pairs, 0, 1, 2, 3, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27);
        v128.store(target, i16x8.sub(pairs, i16x8.shl(before, 4)));
        source += 32;
        target += 16;
      }
      const fourth = i32x4.extract_lane(highs, 2) + i32x4.extract_lane(highs, 3);
      const four = i32x4.add(lows, highs);
      const rest = i32x4.extract_lane(four, 0) + i32x4.extract_lane(four, 1) + i32x4.extract_lane(four, 2) + i32x4.extract_lane(four, 3);
      store<f32>(sums, <f32>rest);
      store<i32>(sums, fourth << 3, 4);
      sums += 8;
    }
  }
}

/**
 * Stores the scale at which the largest of `count` values (a multiple of 4) becomes `one`: NaN where any is NaN or
 * infinite, so that every product with them is. Magnitudes are in the order of their bits, infinity and NaN last.
 * @returns the scale's inverse, and 0 for 0
 */
function scaleTo(one: f32, source: usize, count: i32, scale: usize): f32 {
  let four = i32x4.splat(0);
  const end = source + (<usize>count << 2);
  for (; source < end; source += 16) four = i32x4.max_u(four, f32x4.abs(v128.load(source)));
  const largest = reinterpret<f32>(
    max<u32>(
      max<u32>(i32x4.extract_lane(four, 0), i32x4.extract_lane(four, 1)),
      max<u32>(i32x4.extract_lane(four, 2), i32x4.extract_lane(four, 3)),
    ),
  );
  store<f32>(scale, (largest + (largest - largest)) / one);
  return largest > 0 ? one / largest : 0;
}
