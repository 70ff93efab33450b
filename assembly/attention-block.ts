/**
 * The inner steps of attention for eight query lanes: a lane is one query head of one token.
 *
 * Keys and values are read row by row as they stand in the cache and splat; the eight queries are the vector. So
 * nothing is transposed, softmax runs down the lanes without horizontal sums, and one tile of 4 x 8 fills 8 registers.
 */
import { exponential, exponentials } from "./exponential";
import { addTwo, maxEach, multiplyAdd, sumEach } from "./simd";

/** Queries of a tile: [headSize][8] f32, already scaled by 1/sqrt(headSize). */
export const LANES: i32 = 8;

/**
 * scores[key][8] = keys · queries for `count` keys, computed in fours: up to three rows beyond the last are read
 * (inside the page or the scratch, both padded) and their scores are never used.
 */
export function scoreKeys(queries: usize, keys: usize, keyStride: usize, scores: usize, count: i32, headSize: i32): void {
  const end = queries + (<usize>headSize << 5);
  for (let key = 0; key < count; key += 4) {
    scoreFour(queries, end, keys, keyStride, scores);
    keys += keyStride << 2;
    scores += 128;
  }
}

function scoreFour(q: usize, end: usize, k0: usize, stride: usize, scores: usize): void {
  let k1 = k0 + stride;
  let k2 = k1 + stride;
  let k3 = k2 + stride;
  let a00 = f32x4.splat(0), a01 = a00, a10 = a00, a11 = a00, a20 = a00, a21 = a00, a30 = a00, a31 = a00;
  while (q < end) {
    const q0 = v128.load(q);
    const q1 = v128.load(q, 16);
    let s = v128.load32_splat(k0);
    a00 = multiplyAdd(s, q0, a00); a01 = multiplyAdd(s, q1, a01);
    s = v128.load32_splat(k1);
    a10 = multiplyAdd(s, q0, a10); a11 = multiplyAdd(s, q1, a11);
    s = v128.load32_splat(k2);
    a20 = multiplyAdd(s, q0, a20); a21 = multiplyAdd(s, q1, a21);
    s = v128.load32_splat(k3);
    a30 = multiplyAdd(s, q0, a30); a31 = multiplyAdd(s, q1, a31);
    q += 32;
    k0 += 4; k1 += 4; k2 += 4; k3 += 4;
  }
  v128.store(scores, a00); v128.store(scores, a01, 16);
  v128.store(scores, a10, 32); v128.store(scores, a11, 48);
  v128.store(scores, a20, 64); v128.store(scores, a21, 80);
  v128.store(scores, a30, 96); v128.store(scores, a31, 112);
}

/**
 * Puts -infinity where a key lies at or beyond its lane's limit, or before the first it sees.
 * @param limits [8] i32, then [8] first ones, relative to the first key of the block
 */
export function maskScores(scores: usize, count: i32, limits: usize): void {
  const low = v128.load(limits);
  const high = v128.load(limits, 16);
  const firstLow = v128.load(limits, 32);
  const firstHigh = v128.load(limits, 48);
  const hidden = f32x4.splat(-Infinity);
  for (let key = 0; key < count; key++) {
    const at = i32x4.splat(key);
    v128.store(scores, v128.bitselect(v128.load(scores), hidden, v128.and(i32x4.lt_s(at, low), i32x4.ge_s(at, firstLow))));
    v128.store(scores, v128.bitselect(v128.load(scores, 16), hidden, v128.and(i32x4.lt_s(at, high), i32x4.ge_s(at, firstHigh))), 16);
    scores += 32;
  }
}

/** Scores x up to `end` become cap · tanh(x · scale / cap); a multiple of four of them. */
export function capScores(scores: usize, end: usize, cap: f32, scale: f32): void {
  const factor = f32x4.splat((2 * scale) / cap);
  const limit = f32x4.splat(cap);
  const twice = f32x4.splat(2 * cap);
  for (let at = scores; at < end; at += 16) v128.store(at, f32x4.mul(v128.load(at), factor));
  exponentials(scores, end);
  for (; scores < end; scores += 16) {
    v128.store(scores, f32x4.sub(limit, f32x4.div(twice, f32x4.add(v128.load(scores), f32x4.splat(1)))));
  }
}

/**
 * Scores become weights against the largest score so far (running softmax, Milakov and Gimelshein 2018), and sums and
 * outputs so far are scaled down to it.
 * @param state [8] largest scores, then [8] sums
 * @param outputs [headSize][8]
 */
export function runningSoftmax(scores: usize, count: i32, state: usize, outputs: usize, headSize: i32): void {
  const before0 = v128.load(state);
  const before1 = v128.load(state, 16);
  let largest0 = before0;
  let largest1 = before1;
  const end = scores + (<usize>count << 5);
  for (let at = scores; at < end; at += 32) {
    largest0 = f32x4.pmax(largest0, v128.load(at));
    largest1 = f32x4.pmax(largest1, v128.load(at, 16));
  }
  if (v128.any_true(v128.or(f32x4.gt(largest0, before0), f32x4.gt(largest1, before1)))) {
    v128.store(state, f32x4.sub(before0, largest0));
    v128.store(state, f32x4.sub(before1, largest1), 16);
    exponentials(state, state + 32);
    const scale0 = v128.load(state);
    const scale1 = v128.load(state, 16);
    v128.store(state, largest0);
    v128.store(state, largest1, 16);
    v128.store(state, f32x4.mul(v128.load(state, 32), scale0), 32);
    v128.store(state, f32x4.mul(v128.load(state, 48), scale1), 48);
    for (const last = outputs + (<usize>headSize << 5); outputs < last; outputs += 32) {
      v128.store(outputs, f32x4.mul(v128.load(outputs), scale0));
      v128.store(outputs, f32x4.mul(v128.load(outputs, 16), scale1), 16);
    }
  }
  let sum0 = f32x4.splat(0), sum1 = sum0;
  for (let at = scores; at < end; at += 32) {
    const weight0 = exponential(f32x4.sub(v128.load(at), largest0));
    const weight1 = exponential(f32x4.sub(v128.load(at, 16), largest1));
    sum0 = f32x4.add(sum0, weight0);
    sum1 = f32x4.add(sum1, weight1);
    v128.store(at, weight0);
    v128.store(at, weight1, 16);
  }
  v128.store(state, f32x4.add(sum0, v128.load(state, 32)), 32);
  v128.store(state, f32x4.add(sum1, v128.load(state, 48)), 48);
}

/** outputs[dimension][8] += weights · values for `count` entries, these summed by themselves. */
export function addValues(weights: usize, values: usize, valueStride: usize, outputs: usize, count: i32, headSize: i32): void {
  const end = weights + (<usize>count << 5);
  for (let dimension = 0; dimension < headSize; dimension += 4) {
    addFourDimensions(weights, end, values, valueStride, outputs);
    values += 16;
    outputs += 128;
  }
}

function addFourDimensions(w: usize, end: usize, v: usize, stride: usize, o: usize): void {
  let a00 = f32x4.splat(0), a01 = a00, a10 = a00, a11 = a00, a20 = a00, a21 = a00, a30 = a00, a31 = a00;
  while (w < end) {
    const w0 = v128.load(w);
    const w1 = v128.load(w, 16);
    let s = v128.load32_splat(v);
    a00 = multiplyAdd(s, w0, a00); a01 = multiplyAdd(s, w1, a01);
    s = v128.load32_splat(v, 4);
    a10 = multiplyAdd(s, w0, a10); a11 = multiplyAdd(s, w1, a11);
    s = v128.load32_splat(v, 8);
    a20 = multiplyAdd(s, w0, a20); a21 = multiplyAdd(s, w1, a21);
    s = v128.load32_splat(v, 12);
    a30 = multiplyAdd(s, w0, a30); a31 = multiplyAdd(s, w1, a31);
    w += 32;
    v += stride;
  }
  addTwo(o, a00, a01);
  addTwo(o + 32, a10, a11);
  addTwo(o + 64, a20, a21);
  addTwo(o + 96, a30, a31);
}

/**
 * Adds to the entries' scores what eight lanes see in them, the weights being e^(score - largest) · inverse sum:
 * target[key] = max(target[key], largest weight of any lane), or with factors target[key] += sum of weight · factor.
 * The scores are overwritten.
 * @param state [8] largest scores, then [8] inverse sums
 * @param factors [8] f32, or 0
 */
export function scoreWeights(scores: usize, count: i32, state: usize, factors: usize, target: usize): void {
  const largest0 = v128.load(state);
  const largest1 = v128.load(state, 16);
  let scale0 = v128.load(state, 32);
  let scale1 = v128.load(state, 48);
  if (factors) {
    scale0 = f32x4.mul(scale0, v128.load(factors));
    scale1 = f32x4.mul(scale1, v128.load(factors, 16));
  }
  const end = scores + (<usize>((count + 3) & ~3) << 5);
  for (let at = scores; at < end; at += 32) {
    v128.store(at, f32x4.sub(v128.load(at), largest0));
    v128.store(at, f32x4.sub(v128.load(at, 16), largest1), 16);
  }
  exponentials(scores, end);
  for (let at = scores; at < end; at += 32) {
    const low = f32x4.mul(v128.load(at), scale0);
    const high = f32x4.mul(v128.load(at, 16), scale1);
    if (factors) v128.store(at, f32x4.add(low, high));
    else v128.store(at, f32x4.pmax(low, high));
  }
  for (; scores < end; scores += 128) {
    const a = v128.load(scores), b = v128.load(scores, 32), c = v128.load(scores, 64), d = v128.load(scores, 96);
    if (factors) v128.store(target, f32x4.add(v128.load(target), sumEach(a, b, c, d)));
    else v128.store(target, f32x4.pmax(v128.load(target), maxEach(a, b, c, d)));
    target += 16;
  }
}
