/** Packing of weights into panels of 8 columns while a model is loaded, and embedding rows read back out of them. */

import { Q8_BLOCK_BYTES } from "../src/core/layouts";
import { f16ToF32 } from "./half";

/** Packs `rows` rows of `depth` f32 into panels [rows/8][depth][8]; columns missing from the last panel are zero. */
export function packF32(source: usize, rows: i32, depth: i32, target: usize): void {
  for (let first = 0; first < rows; first += 8) {
    const end = target + (<usize>depth << 5);
    memory.fill(target, 0, end - target);
    for (let lane = 0; lane < min(8, rows - first); lane++) {
      for (let at = target + (<usize>lane << 2); at < end; at += 32) {
        store<f32>(at, load<f32>(source));
        source += 4;
      }
    }
    target = end;
  }
}

/** Packs a matrix [depth][columns] f32 that is already the transpose of a weight: panels [columns/8][depth][8]. */
export function packTransposedF32(source: usize, depth: i32, columns: i32, target: usize): void {
  for (let first = 0; first < columns; first += 8) {
    for (let k = 0; k < depth; k++) {
      for (let lane = 0; lane < 8; lane++) {
        const column = first + lane;
        store<f32>(target + (<usize>lane << 2), column < columns ? load<f32>(source + ((<usize>k * columns + column) << 2)) : 0);
      }
      target += 32;
    }
  }
}

/** Packs `rows` rows of `depth` (a multiple of 32) f32 as 8-bit blocks, each scaled so that its largest weight is 127. */
export function packQ8(source: usize, rows: i32, depth: i32, target: usize): void {
  for (let first = 0; first < rows; first += 8) {
    for (let start = 0; start < depth; start += 32) {
      memory.fill(target, 0, Q8_BLOCK_BYTES);
      for (let lane = 0; lane < min(8, rows - first); lane++) {
        const from = source + ((<usize>(first + lane) * depth + start) << 2);
        const quants = target + 32 + (<usize>lane << 1);
        let largest: f32 = 0;
        for (let k: usize = 0; k < 128; k += 4) largest = max(largest, abs(load<f32>(from + k)));
        const inverse: f32 = largest > 0 ? 127 / largest : 0;
        store<f32>(target + (<usize>lane << 2), largest / 127);
        for (let k: usize = 0; k < 32; k++) {
          store<i8>(quants + ((k >> 1) << 4) + (k & 1), <i8>nearest(load<f32>(from + (k << 2)) * inverse));
        }
      }
      target += Q8_BLOCK_BYTES;
    }
  }
}

/** Packs `rows` rows of Q8_0 blocks (f16 scale, 32 quants) as they are, their scales widened. */
export function packQ8Blocks(source: usize, rows: i32, depth: i32, target: usize): void {
  const rowBytes = <usize>(depth >> 5) * 34;
  for (let first = 0; first < rows; first += 8) {
    for (let block = 0; block < depth >> 5; block++) {
      memory.fill(target, 0, Q8_BLOCK_BYTES);
      for (let lane = 0; lane < min(8, rows - first); lane++) {
        const from = source + <usize>(first + lane) * rowBytes + <usize>block * 34;
        const quants = target + 32 + (<usize>lane << 1);
        store<f32>(target + (<usize>lane << 2), f16ToF32(load<u16>(from)));
        for (let pair: usize = 0; pair < 16; pair++) store<u16>(quants + (pair << 4), load<u16>(from + (pair << 1), 2));
      }
      target += Q8_BLOCK_BYTES;
    }
  }
}

/** One row of width `depth` out of f32 panels. */
export function embedF32(weights: usize, row: i32, depth: i32, target: usize): void {
  let source = weights + (<usize>(row >> 3) * depth << 5) + (<usize>(row & 7) << 2);
  for (let k = 0; k < depth; k++) {
    store<f32>(target, load<f32>(source));
    source += 32;
    target += 4;
  }
}

/** One row of width `depth` out of 8-bit panels. */
export function embedQ8(weights: usize, row: i32, depth: i32, target: usize): void {
  let block = weights + <usize>(row >> 3) * (depth >> 5) * Q8_BLOCK_BYTES;
  for (let start = 0; start < depth; start += 32) {
    const scale = load<f32>(block + (<usize>(row & 7) << 2));
    const quants = block + 32 + (<usize>(row & 7) << 1);
    for (let k: usize = 0; k < 32; k++) {
      store<f32>(target, <f32>load<i8>(quants + ((k >> 1) << 4) + (k & 1)) * scale);
      target += 4;
    }
    block += Q8_BLOCK_BYTES;
  }
}
