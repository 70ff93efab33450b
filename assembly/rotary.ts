/**
 * Rotary position embedding (Su et al. 2021), gather of cache rows, and both in one pass.
 *
 * Rotation rows: for each position, `half` cosines then `half` sines, f32, made in f64 by the caller from the model's
 * inverse frequencies. Dimension i turns with dimension i + half ("rotate half", as Hugging Face lays heads out).
 */
import { multiplyAdd } from "./simd";

/** Turns one head's `half` pairs by a rotation row, scaled by `factor` (YaRN's attention factor, else 1). `half` is in bytes. */
// @ts-ignore: decorator
@inline
function turn(source: usize, target: usize, rotation: usize, half: usize, sign: v128, factor: v128): void {
  const whole = half & ~15;
  for (let i: usize = 0; i < whole; i += 16) {
    const cosine = f32x4.mul(v128.load(rotation + i), factor);
    const sine = f32x4.mul(v128.xor(v128.load(rotation + half + i), sign), factor);
    const low = v128.load(source + i);
    const high = v128.load(source + half + i);
    v128.store(target + i, multiplyAdd(low, cosine, f32x4.neg(f32x4.mul(high, sine))));
    v128.store(target + half + i, multiplyAdd(high, cosine, f32x4.mul(low, sine)));
  }
  for (let i = whole; i < half; i += 4) {
    const cosine = f32x4.mul(v128.load32_splat(rotation + i), factor);
    const sine = f32x4.mul(v128.xor(v128.load32_splat(rotation + half + i), sign), factor);
    const low = v128.load32_splat(source + i);
    const high = v128.load32_splat(source + half + i);
    v128.store32_lane(target + i, multiplyAdd(low, cosine, f32x4.neg(f32x4.mul(high, sine))), 0);
    v128.store32_lane(target + half + i, multiplyAdd(high, cosine, f32x4.mul(low, sine)), 0);
  }
}

/**
 * Rotates `heads` heads in place in each of the rows [firstRow, endRow).
 * @param rowOffsets [rows] i32: a row's place behind its head's base
 * @param headTable [heads / group] entries of 16 bytes, their third word the base: the rotation row of offset 0
 */
export function rotateRows(
  rows: usize, rowStride: usize, heads: i32, group: i32, headSize: i32, half: i32,
  rotations: usize, rowOffsets: usize, headTable: usize, factor: f32, firstRow: i32, endRow: i32,
): void {
  const halfBytes = <usize>half << 2;
  const scale = f32x4.splat(factor);
  const plus = i32x4.splat(0);
  for (let row = firstRow; row < endRow; row++) {
    const offset = load<i32>(rowOffsets + (<usize>row << 2));
    let head = rows + rowStride * row;
    for (let h = 0; h < heads; h++) {
      const position = load<i32>(headTable + (<usize>(h / group) << 4), 8) + offset;
      turn(head, head, rotations + <usize>position * halfBytes * 2, halfBytes, plus, scale);
      head += <usize>headSize << 2;
    }
  }
}

/** target row i = source row indices[i], rows of `rowBytes`. */
export function gatherRows(source: usize, indices: usize, target: usize, count: i32, rowBytes: usize): void {
  for (let i = 0; i < count; i++) {
    memory.copy(target, source + <usize>load<i32>(indices + (<usize>i << 2)) * rowBytes, rowBytes);
    target += rowBytes;
  }
}

/**
 * The kept rows of one KV head, moved to the places 0..count-1 and their keys turned from their old places to their new ones.
 *
 * Rotation rows are rounded, so that turns by the same distance err the same way: a key drifts by up to 3e-8 of the size of
 * its largest pair with every turn, 3e-5 after a thousand.
 *
 * In place where `targetPages` are the source pages: indices ascend, so no row is overwritten before it is read.
 * @param indices [count] i32, strictly ascending
 * @param rotations rotation rows of the distances 0, 1, 2, ...; 0 leaves the keys as they are
 * @param pageShift log2 of the rows a page holds; a page is its keys, then its values
 * @param first the old place of row 0
 */
export function gatherTurn(
  sourcePages: usize, targetPages: usize, indices: usize, count: i32, headSize: i32, half: i32, rotations: usize, pageShift: i32, first: i32,
): void {
  const rowBytes = <usize>headSize << 2;
  const halfBytes = <usize>half << 2;
  const valuesAt = rowBytes << pageShift;
  const within = (1 << pageShift) - 1;
  const one = f32x4.splat(1);
  const minus = i32x4.splat(0x80000000);
  for (let place = 0; place < count; place++) {
    const index = load<i32>(indices + (<usize>place << 2));
    const source = load<usize>(sourcePages + (<usize>(index >> pageShift) << 2)) + <usize>(index & within) * rowBytes;
    const target = load<usize>(targetPages + (<usize>(place >> pageShift) << 2)) + <usize>(place & within) * rowBytes;
    const distance = rotations ? first + index - place : 0;
    if (source == target && distance == 0) continue;
    if (distance) {
      turn(source, target, rotations + <usize>distance * halfBytes * 2, halfBytes, minus, one);
      for (let i = halfBytes * 2; i < rowBytes; i += 16) v128.store(target + i, v128.load(source + i));
    } else {
      for (let i: usize = 0; i < rowBytes; i += 16) v128.store(target + i, v128.load(source + i));
    }
    for (let i: usize = 0; i < rowBytes; i += 16) v128.store(target + valuesAt + i, v128.load(source + valuesAt + i));
  }
}

/** Rotates `count` rows of `headSize` by a rotation row each, in place: the tensor's operation. */
export function turnRows(rows: usize, count: i32, headSize: i32, half: i32, rotations: usize, indices: usize): void {
  const halfBytes = <usize>half << 2;
  const one = f32x4.splat(1);
  const plus = i32x4.splat(0);
  for (let row = 0; row < count; row++) {
    const rotation = rotations + <usize>load<i32>(indices + (<usize>row << 2)) * halfBytes * 2;
    turn(rows, rows, rotation, halfBytes, plus, one);
    rows += <usize>headSize << 2;
  }
}

/** Copies the new keys and values of one head's rows [0, rows) behind the `length` entries its pages hold. */
export function appendRows(
  keys: usize, values: usize, rowStride: usize, pages: usize, length: i32, rows: i32, headSize: i32, pageShift: i32,
): void {
  const rowBytes = <usize>headSize << 2;
  const within = (1 << pageShift) - 1;
  for (let row = 0; row < rows; row++) {
    const place = length + row;
    const target = load<usize>(pages + (<usize>(place >> pageShift) << 2)) + <usize>(place & within) * rowBytes;
    memory.copy(target, keys, rowBytes);
    memory.copy(target + (rowBytes << pageShift), values, rowBytes);
    keys += rowStride;
    values += rowStride;
  }
}
