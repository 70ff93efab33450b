/** Packing of 4-bit weights: ggml's blocks as they are, or f32 with the best line through each block's range. */
import { f16ToF32 } from "./half";
import { QUANT_BYTES, scaleBytes } from "./weights-q4";

const Q4_0: i32 = 2;
const Q4_1: i32 = 3;

/**
 * Packs `rows` rows of Q4_0, Q4_1 or Q4_K blocks exactly: f16 scales and minima for the first two (Q4_0's minimum,
 * -8 scales, must fit f16), f32 for Q4_K, whose scales are products.
 * @param type ggml's number: 2, 3 or 12
 */
export function packQ4Blocks(type: i32, source: usize, rows: i32, depth: i32, target: usize): void {
  for (let first = 0; first < rows; first += 8) {
    for (let block = 0; block < depth >> 5; block++) {
      const blockBytes = packBlock(type, source, first, rows, depth, block, target);
      target += blockBytes;
    }
  }
}

/** One block of 8 rows; rows beyond the last are zero. @returns its bytes */
function packBlock(type: i32, source: usize, first: i32, rows: i32, depth: i32, block: i32, target: usize): usize {
  const wide = type != Q4_0 && type != Q4_1;
  memory.fill(target, 0, scaleBytes(wide) + QUANT_BYTES);
  for (let lane = 0; lane < 8; lane++) {
    const row = first + lane;
    if (row >= rows) break;
    const quants = target + scaleBytes(wide) + quantOffset(lane);
    if (type == Q4_0) {
      const start = source + (<usize>row * (depth >> 5) + block) * 18;
      const scale = load<u16>(start);
      store<u16>(target + (<usize>lane << 2), scale);
      store<u16>(target + (<usize>lane << 2), timesMinusEight(scale), 2);
      packNibbles(start + 2, quants);
    } else if (type == Q4_1) {
      const start = source + (<usize>row * (depth >> 5) + block) * 20;
      store<u32>(target + (<usize>lane << 2), load<u32>(start));
      packNibbles(start + 4, quants);
    } else {
      const start = source + (<usize>row * (depth >> 8) + (block >> 3)) * 144;
      packSuperBlock(start, block & 7, target + (<usize>lane << 3), quants);
    }
  }
  return scaleBytes(wide) + QUANT_BYTES;
}

/** Where a column's quants stand in a block: half, then lane. */
// @ts-ignore: decorator
@inline
function quantOffset(lane: i32): usize {
  return (<usize>(lane >> 2) << 4) + (<usize>(lane & 3) << 2);
}

/** -8 times an f16, as f16 bits: exact below 2^16, infinite or NaN above, which the forward pass reports. */
function timesMinusEight(bits: u32): u16 {
  const sign = (bits & 0x8000) ^ 0x8000;
  let exponent = (bits >> 10) & 31;
  let mantissa = bits & 0x3ff;
  if (exponent == 0) {
    mantissa <<= 3;
    if (mantissa < 0x400) return <u16>(sign | mantissa);
    exponent = 1;
    while (mantissa >= 0x800) {
      mantissa >>= 1;
      exponent++;
    }
    return <u16>(sign | (exponent << 10) | (mantissa & 0x3ff));
  }
  return <u16>(sign | (min(exponent + 3, 31) << 10) | mantissa);
}

/** 16 bytes whose low nibbles are the quants 0-15 and whose high nibbles are 16-31. */
function packNibbles(source: usize, target: usize): void {
  const low: u64 = 0x0f0f0f0f0f0f0f0f;
  const a = load<u64>(source);
  const b = load<u64>(source, 8);
  store<u32>(target, packGroup(a & low));
  store<u32>(target, packGroup(b & low), 32);
  store<u32>(target, packGroup((a >> 4) & low), 64);
  store<u32>(target, packGroup((b >> 4) & low), 96);
}

/** Eight quants, a byte each, as two lanes of 16 bits: the even ones, and the odd ones, the fourth of each less 8. */
// @ts-ignore: decorator
@inline
function packGroup(bytes: u64): u32 {
  const pairs = bytes | (bytes >> 12);
  const even = (<u32>pairs & 0xff) | (<u32>(pairs >> 24) & 0xff00);
  const odd = (<u32>(pairs >> 8) & 0xff) | (<u32>(pairs >> 32) & 0xff00);
  return (even | (odd << 16)) ^ 0x80008000;
}

/** Block `part` of a Q4_K super-block: its scale and minimum as f32, its quants. */
function packSuperBlock(source: usize, part: i32, pair: usize, quants: usize): void {
  const scales = source + 4;
  let scale: u32;
  let minimum: u32;
  if (part < 4) {
    scale = load<u8>(scales + part) & 63;
    minimum = load<u8>(scales + part, 4) & 63;
  } else {
    scale = (load<u8>(scales + part, 4) & 15) | ((load<u8>(scales + part - 4) >> 6) << 4);
    minimum = (load<u8>(scales + part, 4) >> 4) | ((load<u8>(scales + part) >> 6) << 4);
  }
  store<f32>(pair, f16ToF32(load<u16>(source)) * <f32>scale);
  store<f32>(pair, -f16ToF32(load<u16>(source, 2)) * <f32>minimum, 4);
  const low: u64 = 0x0f0f0f0f0f0f0f0f;
  const bytes = source + 16 + (<usize>(part >> 1) << 5);
  const shift = <u64>(part & 1) << 2;
  for (let group: usize = 0; group < 4; group++) {
    store<u32>(quants + (group << 5), packGroup((load<u64>(bytes + (group << 3)) >> shift) & low));
  }
}

/** Packs `rows` rows of `depth` (a multiple of 32) f32 with f32 scales and minima: the line through each block's smallest and largest weight. */
export function packQ4(source: usize, rows: i32, depth: i32, target: usize): void {
  for (let first = 0; first < rows; first += 8) {
    for (let start = 0; start < depth; start += 32) {
      memory.fill(target, 0, 64 + QUANT_BYTES);
      for (let lane = 0; lane < min(8, rows - first); lane++) {
        const from = source + ((<usize>(first + lane) * depth + start) << 2);
        let smallest = load<f32>(from);
        let largest = smallest;
        for (let k: usize = 4; k < 128; k += 4) {
          smallest = min(smallest, load<f32>(from + k));
          largest = max(largest, load<f32>(from + k));
        }
        const scale = (largest - smallest) / 15;
        store<f32>(target + (<usize>lane << 3), scale);
        store<f32>(target + (<usize>lane << 3), smallest, 4);
        const inverse: f32 = scale > 0 ? 1 / scale : 0;
        const quants = target + 64 + quantOffset(lane);
        for (let group: usize = 0; group < 4; group++) {
          let bytes: u64 = 0;
          for (let k: usize = 0; k < 8; k++) {
            bytes |= <u64>nearest((load<f32>(from + (group << 5) + (k << 2)) - smallest) * inverse) << (k << 3);
          }
          store<u32>(quants + (group << 5), packGroup(bytes));
        }
      }
      target += 64 + QUANT_BYTES;
    }
  }
}

/** One row of width `depth` out of 4-bit panels. */
export function embedQ4(weights: usize, row: i32, depth: i32, target: usize, wide: bool): void {
  const lane = row & 7;
  let block = weights + <usize>(row >> 3) * (depth >> 5) * (scaleBytes(wide) + QUANT_BYTES);
  for (let start = 0; start < depth; start += 32) {
    const pair = block + (<usize>lane << (wide ? 3 : 2));
    const scale = wide ? load<f32>(pair) : f16ToF32(load<u16>(pair));
    const minimum = wide ? load<f32>(pair, 4) : f16ToF32(load<u16>(pair, 2));
    for (let k = 0; k < 32; k++) {
      const quants: u32 = load<u16>(block + scaleBytes(wide) + quantOffset(lane) + (<usize>(k >> 3) << 5) + (<usize>(k & 1) << 1));
      store<f32>(target + (<usize>k << 2), <f32>(((quants ^ 0x8000) >> (((k >> 1) & 3) << 2)) & 15) * scale + minimum);
    }
    target += 128;
    block += scaleBytes(wide) + QUANT_BYTES;
  }
}
