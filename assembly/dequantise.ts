/**
 * Blocks of every ggml type that Siskin reads, to f32: the same bits as gguf-py's `dequantize`.
 *
 * Layouts: ggml-common.h. Every product and sum is rounded by itself, in gguf-py's order; nothing is fused.
 */
import { f16ToF32, f16ToF32x4 } from "./half";

/**
 * Writes `count` f32 values.
 *
 * @param type ggml's number of the type; any other than those below traps
 * @param source the blocks, at any address
 * @param target `count` f32
 * @param count a multiple of the type's block length
 */
export function dequantise(type: i32, source: usize, target: usize, count: i32): void {
  const end = target + (<usize>count << 2);
  switch (type) {
    case 0:
      memory.copy(target, source, end - target);
      return;
    case 1:
      return halves(source, target, end);
    case 2:
      for (; target < end; target += 128, source += 18) q4_0(source, target);
      return;
    case 3:
      for (; target < end; target += 128, source += 20) q4_1(source, target);
      return;
    case 6:
      for (; target < end; target += 128, source += 22) q5_0(source, target);
      return;
    case 7:
      for (; target < end; target += 128, source += 24) q5_1(source, target);
      return;
    case 8:
      for (; target < end; target += 128, source += 34) q8_0(source, target);
      return;
    case 10:
      for (; target < end; target += 1024, source += 84) q2_K(source, target);
      return;
    case 11:
      for (; target < end; target += 1024, source += 110) q3_K(source, target);
      return;
    case 12:
      for (; target < end; target += 1024, source += 144) q4_K(source, target);
      return;
    case 13:
      for (; target < end; target += 1024, source += 176) q5_K(source, target);
      return;
    case 14:
      for (; target < end; target += 1024, source += 210) q6_K(source, target);
      return;
    case 20:
      for (; target < end; target += 128, source += 18) iq4_NL(source, target);
      return;
    case 23:
      for (; target < end; target += 1024, source += 136) iq4_XS(source, target);
      return;
    case 28:
      for (; target < end; target += 4, source += 8) store<f32>(target, <f32>load<f64>(source));
      return;
    case 30:
      return brains(source, target, end);
    default:
      unreachable();
  }
}

function halves(source: usize, target: usize, end: usize): void {
  for (; target + 16 <= end; target += 16, source += 8) v128.store(target, f16ToF32x4(v128.load16x4_u(source)));
  for (; target < end; target += 4, source += 2) store<f32>(target, f16ToF32(load<u16>(source)));
}

/** bfloat16: the upper half of an f32. */
function brains(source: usize, target: usize, end: usize): void {
  for (; target + 16 <= end; target += 16, source += 8) v128.store(target, i32x4.shl(v128.load16x4_u(source), 16));
  for (; target < end; target += 4, source += 2) store<u32>(target, <u32>load<u16>(source) << 16);
}

function q4_0(source: usize, target: usize): void {
  const scale = halfAt(source);
  for (let half = 0; half < 2; half++, target += 64) {
    putScaled(target, i8x16.sub(nibblesAt(source + 2, half << 2), i8x16.splat(8)), scale);
  }
}

function q4_1(source: usize, target: usize): void {
  const scale = halfAt(source), minimum = halfAt(source + 2);
  for (let half = 0; half < 2; half++, target += 64) putRaised(target, nibblesAt(source + 4, half << 2), scale, minimum);
}

function q5_0(source: usize, target: usize): void {
  const scale = halfAt(source);
  for (let half = 0; half < 2; half++, target += 64) {
    const quants = v128.or(nibblesAt(source + 6, half << 2), fifthBits(source + 2 + (half << 1)));
    putScaled(target, i8x16.sub(quants, i8x16.splat(16)), scale);
  }
}

function q5_1(source: usize, target: usize): void {
  const scale = halfAt(source), minimum = halfAt(source + 2);
  for (let half = 0; half < 2; half++, target += 64) {
    const quants = v128.or(nibblesAt(source + 8, half << 2), fifthBits(source + 4 + (half << 1)));
    putRaised(target, quants, scale, minimum);
  }
}

function q8_0(source: usize, target: usize): void {
  const scale = halfAt(source);
  putScaled(target, v128.load(source, 2), scale);
  putScaled(target + 64, v128.load(source, 18), scale);
}

/** 16 bytes of scales and minima of 4 bits, 64 of quants of 2 bits, d, dmin. */
function q2_K(source: usize, target: usize): void {
  const scale = f16ToF32(load<u16>(source, 80)), minimum = f16ToF32(load<u16>(source, 82));
  for (let group: usize = 0; group < 16; group++, target += 64) {
    const packed = load<u8>(source + group);
    const lowest = f32x4.splat(-minimum * <f32>(packed >> 4));
    putRaised(target, pairsOfBits(source + 16, group), f32x4.splat(scale * <f32>(packed & 15)), lowest);
  }
}

/** 32 bytes of third bits, 64 of the lower two, 12 of scales of 6 bits, d. */
function q3_K(source: usize, target: usize): void {
  const scale = f16ToF32(load<u16>(source, 108));
  const four = i8x16.splat(4);
  for (let group: usize = 0; group < 16; group++, target += 64) {
    const low = (load<u8>(source + (group & 7), 96) >> (((<u8>group >> 3) & 1) << 2)) & 15;
    const high = (load<u8>(source + (group & 3), 104) >> ((<u8>group >> 2) << 1)) & 3;
    const factor = scale * <f32>(<i32>(low | (high << 4)) - 32);
    // A third bit of 0 takes 4 away.
    const third = i8x16.shl(bitOfEach(source + ((group & 1) << 4), <i32>(group >> 1)), 2);
    const quants = i8x16.sub(v128.or(pairsOfBits(source + 32, group), third), four);
    putScaled(target, quants, f32x4.splat(factor));
  }
}

/** d, dmin, 12 bytes of scales and minima of 6 bits, 128 of nibbles. */
function q4_K(source: usize, target: usize): void {
  const scale = f16ToF32(load<u16>(source)), minimum = f16ToF32(load<u16>(source, 2));
  for (let part: usize = 0; part < 8; part++, target += 128) {
    const factor = f32x4.splat(scale * sixBitScale(source + 4, part));
    const lowest = f32x4.splat(-minimum * sixBitMinimum(source + 4, part));
    const quants = source + 16 + ((part >> 1) << 5);
    const shift = <i32>(part & 1) << 2;
    for (let half: usize = 0; half < 2; half++) {
      putRaised(target + (half << 6), nibblesAt(quants + (half << 4), shift), factor, lowest);
    }
  }
}

/** As Q4_K, with 32 bytes of fifth bits before the nibbles. */
function q5_K(source: usize, target: usize): void {
  const scale = f16ToF32(load<u16>(source)), minimum = f16ToF32(load<u16>(source, 2));
  for (let part: usize = 0; part < 8; part++, target += 128) {
    const factor = f32x4.splat(scale * sixBitScale(source + 4, part));
    const lowest = f32x4.splat(-minimum * sixBitMinimum(source + 4, part));
    const quants = source + 48 + ((part >> 1) << 5);
    const shift = <i32>(part & 1) << 2;
    for (let half: usize = 0; half < 2; half++) {
      const fifths = i8x16.shl(bitOfEach(source + 16 + (half << 4), <i32>part), 4);
      putRaised(target + (half << 6), v128.or(nibblesAt(quants + (half << 4), shift), fifths), factor, lowest);
    }
  }
}

/** 128 bytes of lower nibbles, 64 of upper pairs of bits, 16 scales i8, d. */
function q6_K(source: usize, target: usize): void {
  const scale = f16ToF32(load<u16>(source, 208));
  const centre = i8x16.splat(32);
  for (let group: usize = 0; group < 16; group++, target += 64) {
    const nibbles = nibblesAt(source + ((group >> 3) << 6) + ((group & 3) << 4), <i32>(group & 4));
    const quants = i8x16.sub(v128.or(nibbles, i8x16.shl(pairsOfBits(source + 128, group), 4)), centre);
    putScaled(target, quants, f32x4.splat(scale * <f32>load<i8>(source + group, 192)));
  }
}

function iq4_NL(source: usize, target: usize): void {
  const scale = halfAt(source);
  for (let half = 0; half < 2; half++, target += 64) putScaled(target, nonLinear(nibblesAt(source + 2, half << 2)), scale);
}

/** d, 16 bits of upper and 4 bytes of lower bits of scales, 128 bytes of nibbles. */
function iq4_XS(source: usize, target: usize): void {
  const scale = f16ToF32(load<u16>(source));
  for (let part: usize = 0; part < 8; part++, target += 128) {
    const low = (<u32>load<u8>(source + (part >> 1), 4) >> <u32>((part & 1) << 2)) & 15;
    const high = (<u32>load<u16>(source, 2) >> <u32>(part << 1)) & 3;
    const factor = f32x4.splat(scale * <f32>(<i32>(low | (high << 4)) - 32));
    for (let half = 0; half < 2; half++) {
      putScaled(target + (half << 6), nonLinear(nibblesAt(source + 8 + (part << 4), half << 2)), factor);
    }
  }
}

/** The half at an address, in every lane. */
// @ts-ignore: decorator
@inline
function halfAt(source: usize): v128 {
  return f32x4.splat(f16ToF32(load<u16>(source)));
}

/** The lower (`shift` 0) or upper (4) halves of 16 bytes. */
// @ts-ignore: decorator
@inline
function nibblesAt(source: usize, shift: i32): v128 {
  return v128.and(i8x16.shr_u(v128.load(source), shift), i8x16.splat(15));
}

/** Bit `bit` of each of 16 bytes. */
// @ts-ignore: decorator
@inline
function bitOfEach(source: usize, bit: i32): v128 {
  return v128.and(i8x16.shr_u(v128.load(source), bit), i8x16.splat(1));
}

/** The 16 bits at an address, one a lane, each as 16 or 0. */
// @ts-ignore: decorator
@inline
function fifthBits(source: usize): v128 {
  const bytes = i8x16.shuffle(v128.load16_splat(source), i8x16.splat(0), 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1);
  const masks = i8x16(1, 2, 4, 8, 16, 32, 64, -128, 1, 2, 4, 8, 16, 32, 64, -128);
  return v128.and(i8x16.eq(v128.and(bytes, masks), masks), i8x16.splat(16));
}

/** 16 quants of 2 bits: 32 bytes hold 8 groups, the pairs of bits of one byte being 32 values apart. */
// @ts-ignore: decorator
@inline
function pairsOfBits(source: usize, group: usize): v128 {
  const bytes = v128.load(source + ((group >> 3) << 5) + ((group & 1) << 4));
  return v128.and(i8x16.shr_u(bytes, <i32>(group & 6)), i8x16.splat(3));
}

/** Scale `part` of the 12 bytes of Q4_K and Q5_K. */
// @ts-ignore: decorator
@inline
function sixBitScale(packed: usize, part: usize): f32 {
  if (part < 4) return <f32>(load<u8>(packed + part) & 63);
  return <f32>((load<u8>(packed + part, 4) & 15) | ((load<u8>(packed + part - 4) >> 2) & 48));
}

/** Minimum `part` of the 12 bytes of Q4_K and Q5_K. */
// @ts-ignore: decorator
@inline
function sixBitMinimum(packed: usize, part: usize): f32 {
  if (part < 4) return <f32>(load<u8>(packed + part, 4) & 63);
  return <f32>((load<u8>(packed + part, 4) >> 4) | ((load<u8>(packed + part) >> 2) & 48));
}

/** The values that the nibbles of IQ4 stand for. */
// @ts-ignore: decorator
@inline
function nonLinear(nibbles: v128): v128 {
  return i8x16.swizzle(i8x16(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113), nibbles);
}

/** Lanes 4 · `quarter` to 4 · `quarter` + 3 of 16 signed bytes, as f32. */
// @ts-ignore: decorator
@inline
function quarterOf(quants: v128, quarter: i32): v128 {
  const wide = quarter < 2 ? i16x8.extend_low_i8x16_s(quants) : i16x8.extend_high_i8x16_s(quants);
  return f32x4.convert_i32x4_s(quarter & 1 ? i32x4.extend_high_i16x8_s(wide) : i32x4.extend_low_i16x8_s(wide));
}

/** 16 values: scale · quant. */
function putScaled(target: usize, quants: v128, scale: v128): void {
  v128.store(target, f32x4.mul(scale, quarterOf(quants, 0)));
  v128.store(target, f32x4.mul(scale, quarterOf(quants, 1)), 16);
  v128.store(target, f32x4.mul(scale, quarterOf(quants, 2)), 32);
  v128.store(target, f32x4.mul(scale, quarterOf(quants, 3)), 48);
}

/** 16 values: scale · quant + minimum. */
function putRaised(target: usize, quants: v128, scale: v128, minimum: v128): void {
  v128.store(target, f32x4.add(f32x4.mul(scale, quarterOf(quants, 0)), minimum));
  v128.store(target, f32x4.add(f32x4.mul(scale, quarterOf(quants, 1)), minimum), 16);
  v128.store(target, f32x4.add(f32x4.mul(scale, quarterOf(quants, 2)), minimum), 32);
  v128.store(target, f32x4.add(f32x4.mul(scale, quarterOf(quants, 3)), minimum), 48);
}
