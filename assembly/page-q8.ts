/**
 * Pages of the 8-bit cache: keys as they were before rotation, to be turned when they are read, and values; blocks of 32
 * with a scale each.
 *
 * A page of n entries of one head of size d holds, one after another:
 *   keys       [n][d/32][16][2] i8: a block is 16 pairs of dimensions i and i + d/2, which turn together
 *   values     [n/2][d][2] i8: two entries side by side, as `i32x4.dot_i16x8_s` sums them
 *   key scales, value scales   [d/32][n] u16 each: upper halves of f32, rounded up
 *   positions  [n] i32: the rotation row by which an entry's key is turned
 */

/** Bytes of a page. */
export function pageBytesQ8(headSize: i32, pageShift: i32): i32 {
  return ((headSize * 2 + (headSize >> 5) * 4 + 4) << pageShift);
}

// @ts-ignore: decorator
@inline
export function keyScales(page: usize, headSize: i32, pageShift: i32): usize {
  return page + (<usize>headSize << (pageShift + 1));
}

// @ts-ignore: decorator
@inline
export function valueScales(page: usize, headSize: i32, pageShift: i32): usize {
  return keyScales(page, headSize, pageShift) + (<usize>(headSize >> 5) << (pageShift + 1));
}

// @ts-ignore: decorator
@inline
export function positionsQ8(page: usize, headSize: i32, pageShift: i32): usize {
  return valueScales(page, headSize, pageShift) + (<usize>(headSize >> 5) << (pageShift + 1));
}

/** Four scales. */
// @ts-ignore: decorator
@inline
export function fourScales(at: usize): v128 {
  return i32x4.shl(v128.load16x4_u(at), 16);
}

/** Two scales, twice. */
// @ts-ignore: decorator
@inline
export function twoScales(at: usize): v128 {
  const both = v128.load32_splat(at);
  return v128.and(i8x16.shuffle(both, both, 0, 1, 0, 1, 2, 3, 2, 3, 0, 1, 0, 1, 2, 3, 2, 3), i32x4.splat(0xffff0000));
}

/** One scale. */
// @ts-ignore: decorator
@inline
export function oneScale(at: usize): f32 {
  return reinterpret<f32>(<u32>load<u16>(at) << 16);
}

/** Rounded up, so that the largest magnitude stays within 127. */
function storeScale(at: usize, largest: f32): f32 {
  const bits = (reinterpret<u32>(largest / 127) + 0xffff) >> 16;
  store<u16>(at, <u16>bits);
  return reinterpret<f32>(bits << 16);
}

// @ts-ignore: decorator
@inline
function largestOf(a: v128, b: v128): v128 {
  return f32x4.max(f32x4.abs(a), f32x4.abs(b));
}

/** The largest magnitude of two runs of 16 f32. */
function largestMagnitude(one: usize, other: usize): f32 {
  const a = f32x4.max(largestOf(v128.load(one), v128.load(one, 16)), largestOf(v128.load(one, 32), v128.load(one, 48)));
  const b = f32x4.max(largestOf(v128.load(other), v128.load(other, 16)), largestOf(v128.load(other, 32), v128.load(other, 48)));
  const c = f32x4.max(a, b);
  return max(max(f32x4.extract_lane(c, 0), f32x4.extract_lane(c, 1)), max(f32x4.extract_lane(c, 2), f32x4.extract_lane(c, 3)));
}

// @ts-ignore: decorator
@inline
function rounded(source: usize, inverse: v128): v128 {
  return i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(source), inverse)));
}

/** 16 f32 as i8. */
function narrow(source: usize, inverse: v128): v128 {
  return i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(rounded(source, inverse), rounded(source + 16, inverse)),
    i16x8.narrow_i32x4_s(rounded(source + 32, inverse), rounded(source + 48, inverse)),
  );
}

/** Writes entry `slot` of a page: an unrotated key and a value, [headSize] f32 each. */
export function writeEntryQ8(page: usize, slot: i32, key: usize, value: usize, position: i32, headSize: i32, pageShift: i32): void {
  const half = <usize>headSize << 1;
  const keyPlace = page + <usize>(slot * headSize);
  const valuePlace = page + (<usize>headSize << pageShift) + <usize>((slot >> 1) * headSize * 2 + (slot & 1));
  for (let block: usize = 0; block < <usize>(headSize >> 5); block++) {
    const scaleOffset = ((block << pageShift) + slot) << 1;
    const low = key + (block << 6);
    let scale = storeScale(keyScales(page, headSize, pageShift) + scaleOffset, largestMagnitude(low, low + half));
    let inverse = f32x4.splat(scale > 0 ? <f32>1 / scale : 0);
    const lows = narrow(low, inverse);
    const highs = narrow(low + half, inverse);
    v128.store(keyPlace + (block << 5), i8x16.shuffle(lows, highs, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23));
    v128.store(keyPlace + (block << 5), i8x16.shuffle(lows, highs, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31), 16);

    const source = value + (block << 7);
    scale = storeScale(valueScales(page, headSize, pageShift) + scaleOffset, largestMagnitude(source, source + 64));
    inverse = f32x4.splat(scale > 0 ? <f32>1 / scale : 0);
    const target = valuePlace + (block << 6);
    for (let part: usize = 0; part < 32; part += 16) storeEverySecond(target + (part << 1), slot & 1, narrow(source + (part << 2), inverse));
  }
  store<i32>(positionsQ8(page, headSize, pageShift) + (<usize>slot << 2), position);
}

/** Stores 16 bytes in every second place from `target` on, which is the first or the second of its pair. */
function storeEverySecond(target: usize, second: i32, bytes: v128): void {
  const shift = second << 3;
  const others = i16x8.splat(<i16>(0xff00 >> shift));
  storeBeside(target - second, i16x8.shl(i16x8.extend_low_i8x16_u(bytes), shift), others);
  storeBeside(target - second + 16, i16x8.shl(i16x8.extend_high_i8x16_u(bytes), shift), others);
}

function storeBeside(target: usize, bytes: v128, others: v128): void {
  v128.store(target, v128.or(v128.and(v128.load(target), others), bytes));
}

/** Writes the new rows of one head behind the `length` entries its pages hold; the first stands at `position`. */
export function appendRowsQ8(
  keys: usize, values: usize, rowStride: usize, pages: usize, length: i32, rows: i32, position: i32, headSize: i32, pageShift: i32,
): void {
  const within = (1 << pageShift) - 1;
  for (let row = 0; row < rows; row++) {
    const place = length + row;
    const page = load<usize>(pages + (<usize>(place >> pageShift) << 2));
    writeEntryQ8(page, place & within, keys, values, position + row, headSize, pageShift);
    keys += rowStride;
    values += rowStride;
  }
}

/**
 * The kept entries of one head, moved to the places 0..count-1; in place where the pages are the same.
 * @param indices [count] i32, strictly ascending
 * @param renumber whether entries are from now on turned as their new places say
 */
export function gatherQ8(
  sourcePages: usize, targetPages: usize, indices: usize, count: i32, headSize: i32, pageShift: i32, renumber: i32,
): void {
  const within = (1 << pageShift) - 1;
  for (let place = 0; place < count; place++) {
    const index = load<i32>(indices + (<usize>place << 2));
    const source = load<usize>(sourcePages + (<usize>(index >> pageShift) << 2));
    const target = load<usize>(targetPages + (<usize>(place >> pageShift) << 2));
    const from = index & within;
    const to = place & within;
    if (source != target || from != to) moveEntry(source, from, target, to, headSize, pageShift);
    if (renumber) store<i32>(positionsQ8(target, headSize, pageShift) + (<usize>to << 2), place);
  }
}

function moveEntry(source: usize, from: i32, target: usize, to: i32, headSize: i32, pageShift: i32): void {
  memory.copy(target + <usize>(to * headSize), source + <usize>(from * headSize), headSize);
  const values = <usize>headSize << pageShift;
  let a = source + values + <usize>((from >> 1) * headSize * 2 + (from & 1));
  let b = target + values + <usize>((to >> 1) * headSize * 2 + (to & 1));
  for (let i = 0; i < headSize; i++) {
    store<u8>(b, load<u8>(a));
    a += 2;
    b += 2;
  }
  a = keyScales(source, headSize, pageShift) + (<usize>from << 1);
  b = keyScales(target, headSize, pageShift) + (<usize>to << 1);
  // The value's scales lie behind the key's.
  for (let block = 0; block < headSize >> 4; block++) {
    store<u16>(b, load<u16>(a));
    a += (<usize>2 << pageShift);
    b += (<usize>2 << pageShift);
  }
  store<i32>(
    positionsQ8(target, headSize, pageShift) + (<usize>to << 2),
    load<i32>(positionsQ8(source, headSize, pageShift) + (<usize>from << 2)),
  );
}

/**
 * The first `count` entries of a page as a page of f32: keys [n][headSize], turned, then values.
 * @param rotations rotation rows of the positions 0, 1, 2, ...: headSize/2 cosines, then as many sines, f32
 * @param factor by which keys are scaled besides (YaRN's attention factor, else 1)
 */
export function expandQ8(page: usize, target: usize, count: i32, headSize: i32, pageShift: i32, rotations: usize, factor: f32): void {
  const half = <usize>headSize << 1;
  const rowBytes = <usize>headSize << 2;
  for (let entry = 0; entry < count; entry++) {
    const position = load<i32>(positionsQ8(page, headSize, pageShift) + (<usize>entry << 2));
    const rotation = rotations + rowBytes * position;
    const keys = page + <usize>(entry * headSize);
    const place = target + rowBytes * entry;
    for (let block: usize = 0; block < <usize>(headSize >> 5); block++) {
      const scale = f32x4.splat(oneScale(keyScales(page, headSize, pageShift) + (((block << pageShift) + entry) << 1)) * factor);
      for (let i: usize = 0; i < 16; i += 4) {
        const pairs = v128.load8x8_s(keys + (block << 5) + (i << 1));
        const low = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(i32x4.shl(pairs, 16), 16)), scale);
        const high = f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_s(pairs, 16)), scale);
        const at = (block << 6) + (i << 2);
        const cosine = v128.load(rotation + at);
        const sine = v128.load(rotation + half + at);
        v128.store(place + at, f32x4.sub(f32x4.mul(low, cosine), f32x4.mul(high, sine)));
        v128.store(place + half + at, f32x4.add(f32x4.mul(high, cosine), f32x4.mul(low, sine)));
      }
    }
  }
  const values = page + (<usize>headSize << pageShift);
  const scales = valueScales(page, headSize, pageShift);
  target += rowBytes << pageShift;
  for (let entry = 0; entry < count; entry += 2) {
    for (let i: usize = 0; i < <usize>headSize; i += 8) {
      const both = v128.load(values + (<usize>(entry >> 1) * headSize + i) * 2);
      const scale = scales + ((((i >> 5) << pageShift) + entry) << 1);
      storeEight(target + rowBytes * entry + (i << 2), i16x8.shr_s(i16x8.shl(both, 8), 8), oneScale(scale));
      if (entry + 1 < count) storeEight(target + rowBytes * (entry + 1) + (i << 2), i16x8.shr_s(both, 8), oneScale(scale + 2));
    }
  }
}

// @ts-ignore: decorator
@inline
function storeEight(target: usize, integers: v128, scale: f32): void {
  const factor = f32x4.splat(scale);
  v128.store(target, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(integers)), factor));
  v128.store(target, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(integers)), factor), 16);
}
