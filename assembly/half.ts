/** IEEE 754 half precision to single precision, exact for every bit pattern, subnormals and NaN payloads included. */

/** 2^112: the distance of the two formats' exponents. */
const REBIAS: f32 = reinterpret<f32>(0x77800000);

/** The f32 of the half in the low 16 bits. */
// @ts-ignore: decorator
@inline
export function f16ToF32(bits: u32): f32 {
  const magnitude = (bits & 0x7fff) << 13;
  const sign = (bits & 0x8000) << 16;
  // Moved up, a half's exponent is 112 too small; the product mends that and normalises subnormals, without rounding.
  const finite = reinterpret<u32>(reinterpret<f32>(magnitude) * REBIAS);
  return reinterpret<f32>(sign | select(finite, magnitude | 0x7f800000, magnitude < 0x0f800000));
}

/** The f32 of the halves in the low 16 bits of the four lanes. */
// @ts-ignore: decorator
@inline
export function f16ToF32x4(bits: v128): v128 {
  const magnitude = i32x4.shl(v128.and(bits, i32x4.splat(0x7fff)), 13);
  const sign = i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16);
  const finite = f32x4.mul(magnitude, f32x4.splat(REBIAS));
  const infinite = v128.or(magnitude, i32x4.splat(0x7f800000));
  return v128.or(sign, v128.bitselect(finite, infinite, i32x4.lt_s(magnitude, i32x4.splat(0x0f800000))));
}
