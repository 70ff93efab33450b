/** The few SIMD operations that differ between the baseline and the relaxed build, and reductions over lanes. */

/** a · b + c in each lane; one rounding in the relaxed build, two in the baseline. */
// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Adds two vectors to the eight f32 at `target`. */
// @ts-ignore: decorator
@inline
export function addTwo(target: usize, low: v128, high: v128): void {
  v128.store(target, f32x4.add(low, v128.load(target)));
  v128.store(target, f32x4.add(high, v128.load(target, 16)), 16);
}

/** Sum of the four lanes. */
// @ts-ignore: decorator
@inline
export function sumLanes(v: v128): f32 {
  const pairs = f32x4.add(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** Largest of the four lanes. */
// @ts-ignore: decorator
@inline
export function maxLanes(v: v128): f32 {
  const pairs = f32x4.pmax(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return max(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}

/** Lanes 0 and 1 of both, interleaved: a0 b0 a1 b1. */
// @ts-ignore: decorator
@inline
export function interleaveLow(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
}

/** Lanes 2 and 3 of both, interleaved: a2 b2 a3 b3. */
// @ts-ignore: decorator
@inline
export function interleaveHigh(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
}

/** Lanes 0 and 1 of `a`, then of `b`. */
// @ts-ignore: decorator
@inline
export function lowHalves(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
}

/** Lanes 2 and 3 of `a`, then of `b`. */
// @ts-ignore: decorator
@inline
export function highHalves(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
}

/** The sums of four vectors, one a lane. */
// @ts-ignore: decorator
@inline
export function sumEach(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(interleaveLow(a, b), interleaveHigh(a, b));
  const cd = f32x4.add(interleaveLow(c, d), interleaveHigh(c, d));
  return f32x4.add(lowHalves(ab, cd), highHalves(ab, cd));
}

/** The sums of four vectors of i32, one a lane. */
// @ts-ignore: decorator
@inline
export function sumEachI32(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = i32x4.add(interleaveLow(a, b), interleaveHigh(a, b));
  const cd = i32x4.add(interleaveLow(c, d), interleaveHigh(c, d));
  return i32x4.add(lowHalves(ab, cd), highHalves(ab, cd));
}

/** The maxima of four vectors, one a lane. */
// @ts-ignore: decorator
@inline
export function maxEach(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.pmax(interleaveLow(a, b), interleaveHigh(a, b));
  const cd = f32x4.pmax(interleaveLow(c, d), interleaveHigh(c, d));
  return f32x4.pmax(lowHalves(ab, cd), highHalves(ab, cd));
}
