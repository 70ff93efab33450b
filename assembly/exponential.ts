/** e^x for four lanes: Cody-Waite reduction and Cephes' polynomial (expf); relative error below 1e-7. */
import { multiplyAdd } from "./simd";

/**
 * The constants, in memory because V8 12 and later make a vector constant anew, in three instructions, wherever it is
 * used; a load that splats is one.
 */
const CONSTANTS = memory.data<f32>([
  88, -87, 1.44269504088896341, 12582912, 0.693359375, -2.12194440e-4,
  1.9875691500e-4, 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1, 1,
]);

// @ts-ignore: decorator
@inline
function constant(index: usize): v128 {
  return v128.load32_splat(CONSTANTS + (index << 2));
}

/** e^x in each lane; x is clamped to [-87, 88], so that no result is zero, infinite or subnormal. */
// @ts-ignore: decorator
@inline
export function exponential(x: v128): v128 {
  const clamped = f32x4.pmin(constant(0), f32x4.pmax(constant(1), x));
  // Adding 1.5 · 2^23 rounds to an integer that then stands in the low bits: no float-to-integer conversion.
  const magic = constant(3);
  const shifted = f32x4.add(f32x4.mul(clamped, constant(2)), magic);
  const n = f32x4.sub(shifted, magic);
  const high = f32x4.sub(clamped, f32x4.mul(n, constant(4)));
  const r = f32x4.sub(high, f32x4.mul(n, constant(5)));
  let p = multiplyAdd(constant(6), r, constant(7));
  p = multiplyAdd(p, r, constant(8));
  p = multiplyAdd(p, r, constant(9));
  p = multiplyAdd(p, r, constant(10));
  p = multiplyAdd(p, r, constant(11));
  p = f32x4.add(multiplyAdd(p, f32x4.mul(r, r), r), constant(12));
  return f32x4.mul(p, i32x4.add(i32x4.shl(shifted, 23), i32x4.splat(0x3f800000)));
}

/** The same of all numbers up to `end` (a multiple of four), in place, as a call: where it is rare, smaller is better. */
export function exponentials(at: usize, end: usize): void {
  for (; at < end; at += 16) v128.store(at, exponential(v128.load(at)));
}
