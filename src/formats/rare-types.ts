/** Dequantisation of types that few files have: i-quants with grids, ternary and micro-scaled ones; after ggml-quants.c. Loaded when it is needed. */
import { gridDigits } from "./grid-digits.ts";
import type { RareType } from "./tensor-types.ts";

/** Writes the values of one block. */
type Dequantise = (block: DataView, target: Float32Array) => void;

/** Values of blocks that lie one behind the other: target [blocks · block length]. */
export function dequantiseRare(type: RareType, blocks: Uint8Array, blockBytes: number, target: Float32Array): void {
  const dequantise = dequantisers[type];
  const count = blocks.length / blockBytes;
  const length = target.length / count;
  for (let index = 0; index < count; index++) {
    const block = new DataView(blocks.buffer, blocks.byteOffset + index * blockBytes, blockBytes);
    dequantise(block, target.subarray(index * length, (index + 1) * length));
  }
}

const twoBits = [0x08, 0x19, 0x2b];
const threeBits = [0x04, 0x0c, 0x14, 0x1c, 0x24, 0x2c, 0x34, 0x3e];
const odd = [1, 3, 5, 7, 9, 11, 13, 15];
const grids = {
  iq2xxs: grid(gridDigits.iq2xxs, 2, twoBits),
  iq2xs: grid(gridDigits.iq2xs, 2, twoBits),
  iq2s: grid(gridDigits.iq2s, 2, twoBits),
  iq3xxs: grid(gridDigits.iq3xxs, 4, threeBits),
  iq3s: grid(gridDigits.iq3s, 4, odd),
  iq1s: grid(gridDigits.iq1s, 2, [-1, 0, 1]),
};

/** @param bits of each value in a byte; the values that they stand for */
function grid(digits: string, bits: number, values: readonly number[]): Int8Array {
  const inByte = 8 / bits;
  const result = new Int8Array((digits.length / 2) * inByte);
  for (let byte = 0; byte < digits.length / 2; byte++) {
    const packed = Number.parseInt(digits.slice(byte * 2, byte * 2 + 2), 16);
    for (let part = 0; part < inByte; part++) {
      result[byte * inByte + part] = values[(packed >> (part * bits)) & ((1 << bits) - 1)]!;
    }
  }
  return result;
}

/** f16 at an offset. */
function half(block: DataView, offset: number): number {
  return halfOf(block.getUint16(offset, true));
}

function halfOf(bits: number): number {
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  const size =
    exponent === 0
      ? fraction * 2 ** -24
      : exponent === 31
        ? fraction
          ? Number.NaN
          : Number.POSITIVE_INFINITY
        : (1 + fraction / 1024) * 2 ** (exponent - 15);
  return bits & 0x8000 ? -size : size;
}

/** The eighth sign makes the number of minus signs even. */
const evenSigns = Uint8Array.from({ length: 128 }, (_, signs) => {
  let parity = 0;
  for (let bits = signs; bits; bits >>= 1) parity ^= bits & 1;
  return signs | (parity << 7);
});

/** Eight values out of a grid of eights, or two places of one of fours, with their signs. */
function signed(
  target: Float32Array,
  at: number,
  scale: number,
  values: Int8Array,
  first: number,
  signs: number,
  count: number,
  shift = 0,
) {
  for (let i = 0; i < count; i++) target[at + i] = scale * values[first + i]! * ((signs >> (i + shift)) & 1 ? -1 : 1);
}

/** Nibbles of bytes, the low one first. */
const nibble = (block: DataView, offset: number, index: number) =>
  (block.getUint8(offset + (index >> 1)) >> ((index & 1) * 4)) & 15;

const fourBits = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12];

const dequantisers: Record<RareType, Dequantise> = {
  // f16 d; for each 32 values four bytes of places, then 4 x 7 bits of signs and 4 of scale.
  IQ2_XXS(block, target) {
    const d = half(block, 0);
    for (let group = 0; group < 8; group++) {
      const word = block.getUint32(6 + group * 8, true);
      const scale = d * (0.5 + (word >>> 28)) * 0.25;
      for (let eight = 0; eight < 4; eight++) {
        const place = block.getUint8(2 + group * 8 + eight);
        signed(
          target,
          group * 32 + eight * 8,
          scale,
          grids.iq2xxs,
          place * 8,
          evenSigns[(word >>> (eight * 7)) & 127]!,
          8,
        );
      }
    }
  },
  // f16 d; for each 8 values 9 bits of place and 7 of signs; nibbles of scale for each 16.
  IQ2_XS(block, target) {
    const d = half(block, 0);
    for (let eight = 0; eight < 32; eight++) {
      const word = block.getUint16(2 + eight * 2, true);
      const scale = d * (0.5 + nibble(block, 66, eight >> 1)) * 0.25;
      signed(target, eight * 8, scale, grids.iq2xs, (word & 511) * 8, evenSigns[word >> 9]!, 8);
    }
  },
  // f16 d; 32 bytes of places, 32 of signs, 2 bits more of each place, nibbles of scale for each 16 values.
  IQ2_S(block, target) {
    const d = half(block, 0);
    for (let eight = 0; eight < 32; eight++) {
      const high = (block.getUint8(66 + (eight >> 2)) >> ((eight & 3) * 2)) & 3;
      const place = block.getUint8(2 + eight) | (high << 8);
      const scale = d * (0.5 + nibble(block, 74, eight >> 1)) * 0.25;
      signed(target, eight * 8, scale, grids.iq2s, place * 8, block.getUint8(34 + eight), 8);
    }
  },
  // f16 d; 64 bytes of places of fours; for each 32 values 4 x 7 bits of signs and 4 of scale.
  IQ3_XXS(block, target) {
    const d = half(block, 0);
    for (let four = 0; four < 64; four++) {
      const word = block.getUint32(66 + (four >> 3) * 4, true);
      const scale = d * (0.5 + (word >>> 28)) * 0.5;
      const signs = evenSigns[(word >>> (((four >> 1) & 3) * 7)) & 127]!;
      signed(target, four * 4, scale, grids.iq3xxs, block.getUint8(2 + four) * 4, signs, 4, (four & 1) * 4);
    }
  },
  // f16 d; 64 bytes of places of fours, a bit more of each, 32 bytes of signs, nibbles of scale for each 32 values.
  IQ3_S(block, target) {
    const d = half(block, 0);
    for (let four = 0; four < 64; four++) {
      const place = block.getUint8(2 + four) | (((block.getUint8(66 + (four >> 3)) >> (four & 7)) & 1) << 8);
      const scale = d * (1 + 2 * nibble(block, 106, four >> 3));
      signed(target, four * 4, scale, grids.iq3s, place * 4, block.getUint8(74 + (four >> 1)), 4, (four & 1) * 4);
    }
  },
  // f16 d; 32 bytes of places; for each 32 values 4 x 3 bits more of places, 3 of scale and the sign of delta.
  IQ1_S(block, target) {
    const d = half(block, 0);
    for (let eight = 0; eight < 32; eight++) {
      const word = block.getUint16(34 + (eight >> 2) * 2, true);
      const place = block.getUint8(2 + eight) | (((word >> ((eight & 3) * 3)) & 7) << 8);
      const scale = d * (2 * ((word >> 12) & 7) + 1);
      const delta = word & 0x8000 ? -0.125 : 0.125;
      for (let i = 0; i < 8; i++) target[eight * 8 + i] = scale * (grids.iq1s[place * 8 + i]! + delta);
    }
  },
  // 32 bytes of places; a nibble for each 8 values, 3 bits of place and the sign of delta; 3 bits of scale for each 16, d in the rest.
  IQ1_M(block, target) {
    const words = [0, 1, 2, 3].map((index) => block.getUint16(48 + index * 2, true));
    const d = halfOf(words.reduce((bits, word, index) => bits | ((word >> 12) << (index * 4)), 0));
    for (let eight = 0; eight < 32; eight++) {
      const high = nibble(block, 32, eight);
      const place = block.getUint8(eight) | ((high & 7) << 8);
      const scale = d * (2 * ((words[eight >> 3]! >> (((eight >> 1) & 3) * 3)) & 7) + 1);
      const delta = high & 8 ? -0.125 : 0.125;
      for (let i = 0; i < 8; i++) target[eight * 8 + i] = scale * (grids.iq1s[place * 8 + i]! + delta);
    }
  },
  // Five values of three kinds in a byte, four in each of the last four bytes; f16 d.
  TQ1_0(block, target) {
    const d = half(block, 52);
    const digit = (byte: number, power: number) => ((((byte * 3 ** power) & 255) * 3) >> 8) - 1;
    let at = 0;
    for (const [first, length, powers] of [
      [0, 32, 5],
      [32, 16, 5],
      [48, 4, 4],
    ] as const) {
      for (let power = 0; power < powers; power++) {
        for (let byte = 0; byte < length; byte++) target[at++] = d * digit(block.getUint8(first + byte), power);
      }
    }
  },
  // Four values of two bits in a byte, 32 bytes for 128 values; f16 d.
  TQ2_0(block, target) {
    const d = half(block, 64);
    for (let i = 0; i < 256; i++) {
      const byte = block.getUint8((i >> 7) * 32 + (i & 31));
      target[i] = d * (((byte >> (((i >> 5) & 3) * 2)) & 3) - 1);
    }
  },
  // A power of two, then nibbles of e2m1, the first 16 values in the low ones (OCP Microscaling Formats 1.0).
  MXFP4(block, target) {
    const d = 2 ** (block.getUint8(0) - 128);
    for (let i = 0; i < 32; i++) target[i] = d * fourBits[(block.getUint8(1 + (i & 15)) >> ((i >> 4) * 4)) & 15]!;
  },
  // Four scales of e4m3 without sign, then nibbles of e2m1 for each 16 values.
  NVFP4(block, target) {
    for (let sixteen = 0; sixteen < 4; sixteen++) {
      const bits = block.getUint8(sixteen);
      const [exponent, fraction] = [(bits >> 3) & 15, bits & 7];
      const size = exponent === 0 ? fraction * 2 ** -9 : (1 + fraction / 8) * 2 ** (exponent - 7);
      const d = bits === 0x7f ? 0 : size / 2;
      for (let i = 0; i < 16; i++) {
        const byte = block.getUint8(4 + sixteen * 8 + (i & 7));
        target[sixteen * 16 + i] = d * fourBits[(byte >> ((i >> 3) * 4)) & 15]!;
      }
    }
  },
};
