/**
 * Attention of a single row, for decoding: the lanes are dimensions of a head, and up to three query heads that share a
 * key head are taken at a time, so that a key or value is loaded once for all of them.
 *
 * Each head's entries are cut into parts, so that threads share even a single head; the parts' softmaxes are merged at
 * the end. The cut is the same for every number of threads, and so are the bits of the result.
 */
import { HeadRecord, LayerRecord } from "../src/core/layouts";
import { exponential, rareExponential } from "./exponential";
import { maxLanes, multiplyAdd, sumEach, sumLanes } from "./simd";
import { address, number, recordAt, word } from "./words";

/** Parts of a head's entries. */
export const PARTS: i32 = 4;

/** Between the weights of a page for one query head and for the next, in the scratch: pages have 64 entries at most. */
export const WEIGHTS_BYTES: usize = 256;

/** A part's result for one query head: largest score, sum, its factor in the merged result, a word unused, then [headSize] f32. */
// @ts-ignore: decorator
@inline
export function partBytes(headSize: i32): usize {
  return 16 + (<usize>headSize << 2);
}

/** Bytes that the parts of one row need. */
export function rowPartsBytes(queryHeads: i32, headSize: i32): usize {
  return partBytes(headSize) * queryHeads * PARTS;
}

/**
 * Computes the parts whose turn is this thread's. The row's own key stands in the pages already.
 * @param parts [kvHeads][PARTS][group] partial results
 */
export function attendRow(layer: usize, parts: usize, scratch: usize, thread: i32, threads: i32): void {
  const group = word(layer, LayerRecord.group);
  const pageShift = word(layer, LayerRecord.pageShift);
  const headSize = word(layer, LayerRecord.headSize);
  const rowBytes = <usize>headSize << 2;
  const pageRows = 1 << pageShift;
  const items = word(layer, LayerRecord.kvHeads) * PARTS;
  for (let item = (items * thread) / threads; item < (items * (thread + 1)) / threads; item++) {
    const head = item / PARTS;
    const turn = item % PARTS;
    const entry = recordAt(address(layer, LayerRecord.heads), head, HeadRecord.words);
    const pages = address(entry, HeadRecord.pages);
    const entries = word(entry, HeadRecord.entries);
    const pageCount = (entries + pageRows - 1) >> pageShift;
    const first = (pageCount * turn) / PARTS;
    const end = (pageCount * (turn + 1)) / PARTS;
    let part = parts + partBytes(headSize) * group * item;
    for (let query = 0; query < group; ) {
      const left = group - query;
      const taken = left == 3 || left >= 5 ? 3 : min(left, 2);
      const queries = address(layer, LayerRecord.queries) + rowBytes * (head * group + query);
      for (let each = 0; each < taken; each++) reset(part + partBytes(headSize) * each, headSize);
      for (let page = first; page < end; page++) {
        const keys = address(pages, page);
        const values = keys + (rowBytes << pageShift);
        const count = min(pageRows, entries - (page << pageShift));
        if (taken == 3) scoreTriple(queries, keys, rowBytes, scratch, count);
        else if (taken == 2) scorePair(queries, queries + rowBytes, keys, rowBytes, scratch, scratch + WEIGHTS_BYTES, count);
        else scoreSingle(queries, keys, rowBytes, scratch, count);
        for (let each = 0; each < taken; each++) {
          weigh(scratch + WEIGHTS_BYTES * each, count, number(layer, LayerRecord.scale), part + partBytes(headSize) * each, headSize);
        }
        if (taken == 3) addTriple(scratch, values, rowBytes, part + 16, partBytes(headSize), count);
        else if (taken == 2) addPair(scratch, scratch + WEIGHTS_BYTES, values, rowBytes, part + 16, part + 16 + partBytes(headSize), count);
        else addSingle(scratch, values, rowBytes, part + 16, count);
      }
      part += partBytes(headSize) * taken;
      query += taken;
    }
  }
}

/** Merges the parts of the query heads whose turn is this thread's. */
export function mergeParts(layer: usize, parts: usize, thread: i32, threads: i32): void {
  const headSize = word(layer, LayerRecord.headSize);
  const group = word(layer, LayerRecord.group);
  const heads = word(layer, LayerRecord.kvHeads) * group;
  const step = partBytes(headSize) * group;
  for (let head = (heads * thread) / threads; head < (heads * (thread + 1)) / threads; head++) {
    const first = parts + step * PARTS * (head / group) + partBytes(headSize) * (head % group);
    const target = address(layer, LayerRecord.outputs) + (<usize>head * headSize << 2);
    let largest = load<f32>(first);
    for (let part = 1; part < PARTS; part++) largest = max(largest, load<f32>(first + step * part));
    let sum: f32 = 0;
    for (let part = 0; part < PARTS; part++) {
      const source = first + step * part;
      const factor = scalarExponential(load<f32>(source) - largest);
      sum += load<f32>(source, 4) * factor;
      store<f32>(source, factor, 8);
    }
    for (let i: usize = 0; i < <usize>headSize << 2; i += 16) {
      let total = f32x4.splat(0);
      for (let part = 0; part < PARTS; part++) {
        const source = first + step * part;
        total = f32x4.add(total, f32x4.mul(v128.load(source + 16 + i), v128.load32_splat(source, 8)));
      }
      v128.store(target + i, f32x4.div(total, f32x4.splat(sum)));
    }
  }
}

// @ts-ignore: decorator
@inline
function scalarExponential(x: f32): f32 {
  return f32x4.extract_lane(rareExponential(f32x4.splat(x)), 0);
}

export function reset(part: usize, headSize: i32): void {
  memory.fill(part, 0, partBytes(headSize));
  store<f32>(part, -f32.MAX_VALUE);
}

function scoreTriple(q: usize, k: usize, stride: usize, scores: usize, count: i32): void {
  const end = q + stride;
  for (let key = 0; key < count; key += 2) {
    let a = q, b = a + stride, c = b + stride, k0 = k, k1 = k + stride;
    let a0 = f32x4.splat(0), a1 = a0, b0 = a0, b1 = a0, c0 = a0, c1 = a0;
    while (a < end) {
      let v = v128.load(k0);
      let w = v128.load(k1);
      let x = v128.load(a);
      a0 = multiplyAdd(v, x, a0); a1 = multiplyAdd(w, x, a1);
      x = v128.load(b);
      b0 = multiplyAdd(v, x, b0); b1 = multiplyAdd(w, x, b1);
      x = v128.load(c);
      c0 = multiplyAdd(v, x, c0); c1 = multiplyAdd(w, x, c1);
      v = v128.load(k0, 16);
      w = v128.load(k1, 16);
      x = v128.load(a, 16);
      a0 = multiplyAdd(v, x, a0); a1 = multiplyAdd(w, x, a1);
      x = v128.load(b, 16);
      b0 = multiplyAdd(v, x, b0); b1 = multiplyAdd(w, x, b1);
      x = v128.load(c, 16);
      c0 = multiplyAdd(v, x, c0); c1 = multiplyAdd(w, x, c1);
      a += 32; b += 32; c += 32; k0 += 32; k1 += 32;
    }
    const ab = sumEach(a0, a1, b0, b1);
    v128.store64_lane(scores, ab, 0);
    v128.store64_lane(scores + WEIGHTS_BYTES, ab, 1);
    v128.store64_lane(scores + 2 * WEIGHTS_BYTES, sumEach(c0, c1, c0, c1), 0);
    scores += 8;
    k += stride << 1;
  }
}

function scorePair(q0: usize, q1: usize, k: usize, stride: usize, s0: usize, s1: usize, count: i32): void {
  const end = q0 + stride;
  for (let key = 0; key < count; key += 4) {
    let a = q0, b = q1, k0 = k, k1 = k + stride, k2 = k1 + stride, k3 = k2 + stride;
    let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
    while (a < end) {
      const x = v128.load(a);
      const y = v128.load(b);
      let v = v128.load(k0);
      a0 = multiplyAdd(v, x, a0); b0 = multiplyAdd(v, y, b0);
      v = v128.load(k1);
      a1 = multiplyAdd(v, x, a1); b1 = multiplyAdd(v, y, b1);
      v = v128.load(k2);
      a2 = multiplyAdd(v, x, a2); b2 = multiplyAdd(v, y, b2);
      v = v128.load(k3);
      a3 = multiplyAdd(v, x, a3); b3 = multiplyAdd(v, y, b3);
      a += 16; b += 16; k0 += 16; k1 += 16; k2 += 16; k3 += 16;
    }
    v128.store(s0, sumEach(a0, a1, a2, a3));
    v128.store(s1, sumEach(b0, b1, b2, b3));
    s0 += 16;
    s1 += 16;
    k += stride << 2;
  }
}

function scoreSingle(q: usize, k: usize, stride: usize, s: usize, count: i32): void {
  const end = q + stride;
  for (let key = 0; key < count; key += 4) {
    let a = q, k0 = k, k1 = k + stride, k2 = k1 + stride, k3 = k2 + stride;
    let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0;
    while (a < end) {
      const x = v128.load(a);
      a0 = multiplyAdd(v128.load(k0), x, a0);
      a1 = multiplyAdd(v128.load(k1), x, a1);
      a2 = multiplyAdd(v128.load(k2), x, a2);
      a3 = multiplyAdd(v128.load(k3), x, a3);
      a += 16; k0 += 16; k1 += 16; k2 += 16; k3 += 16;
    }
    v128.store(s, sumEach(a0, a1, a2, a3));
    s += 16;
    k += stride << 2;
  }
}

/**
 * Scores become weights against the largest so far; sum and outputs so far are scaled down to it.
 * @returns the largest of the weights
 */
export function weigh(scores: usize, count: i32, scale: f32, part: usize, headSize: i32): f32 {
  const factor = f32x4.splat(scale);
  const end = scores + (<usize>((count + 3) & ~3) << 2);
  // Entries beyond the last are not seen.
  for (let at = scores + (<usize>count << 2); at < end; at += 4) store<f32>(at, -f32.MAX_VALUE);
  const before = load<f32>(part);
  let top = f32x4.splat(-f32.MAX_VALUE);
  for (let at = scores; at < end; at += 16) {
    const v = f32x4.mul(v128.load(at), factor);
    v128.store(at, v);
    top = f32x4.pmax(top, v);
  }
  const largest = max(before, maxLanes(top));
  if (largest > before) {
    const shrink = scalarExponential(before - largest);
    store<f32>(part, largest);
    store<f32>(part, load<f32>(part, 4) * shrink, 4);
    const factors = f32x4.splat(shrink);
    for (let at = part + 16; at < part + partBytes(headSize); at += 16) v128.store(at, f32x4.mul(v128.load(at), factors));
  }
  const level = f32x4.splat(largest);
  let sum = f32x4.splat(0);
  top = sum;
  for (let at = scores; at < end; at += 16) {
    const weight = exponential(f32x4.sub(v128.load(at), level));
    sum = f32x4.add(sum, weight);
    top = f32x4.pmax(top, weight);
    v128.store(at, weight);
  }
  store<f32>(part, load<f32>(part, 4) + sumLanes(sum), 4);
  return maxLanes(top);
}

/** `outputs` of the three query heads lie `step` bytes apart. */
function addTriple(weights: usize, values: usize, stride: usize, outputs: usize, step: usize, count: i32): void {
  const end = weights + (<usize>count << 2);
  for (let dimension: usize = 0; dimension < stride; dimension += 32) {
    let w = weights, v = values + dimension;
    const o1 = outputs + step, o2 = o1 + step;
    let a0 = v128.load(outputs), a1 = v128.load(outputs, 16);
    let b0 = v128.load(o1), b1 = v128.load(o1, 16);
    let c0 = v128.load(o2), c1 = v128.load(o2, 16);
    while (w < end) {
      const s = v128.load(v);
      const t = v128.load(v, 16);
      let x = v128.load32_splat(w);
      a0 = multiplyAdd(s, x, a0); a1 = multiplyAdd(t, x, a1);
      x = v128.load32_splat(w, WEIGHTS_BYTES);
      b0 = multiplyAdd(s, x, b0); b1 = multiplyAdd(t, x, b1);
      x = v128.load32_splat(w, 2 * WEIGHTS_BYTES);
      c0 = multiplyAdd(s, x, c0); c1 = multiplyAdd(t, x, c1);
      w += 4; v += stride;
    }
    v128.store(outputs, a0); v128.store(outputs, a1, 16);
    v128.store(o1, b0); v128.store(o1, b1, 16);
    v128.store(o2, c0); v128.store(o2, c1, 16);
    outputs += 32;
  }
}

function addPair(w0: usize, w1: usize, values: usize, stride: usize, o0: usize, o1: usize, count: i32): void {
  const end = w0 + (<usize>count << 2);
  for (let dimension: usize = 0; dimension < stride; dimension += 64) {
    let a = w0, b = w1, v = values + dimension;
    let a0 = v128.load(o0), a1 = v128.load(o0, 16), a2 = v128.load(o0, 32), a3 = v128.load(o0, 48);
    let b0 = v128.load(o1), b1 = v128.load(o1, 16), b2 = v128.load(o1, 32), b3 = v128.load(o1, 48);
    while (a < end) {
      const x = v128.load32_splat(a);
      const y = v128.load32_splat(b);
      let s = v128.load(v);
      a0 = multiplyAdd(s, x, a0); b0 = multiplyAdd(s, y, b0);
      s = v128.load(v, 16);
      a1 = multiplyAdd(s, x, a1); b1 = multiplyAdd(s, y, b1);
      s = v128.load(v, 32);
      a2 = multiplyAdd(s, x, a2); b2 = multiplyAdd(s, y, b2);
      s = v128.load(v, 48);
      a3 = multiplyAdd(s, x, a3); b3 = multiplyAdd(s, y, b3);
      a += 4; b += 4; v += stride;
    }
    v128.store(o0, a0); v128.store(o0, a1, 16); v128.store(o0, a2, 32); v128.store(o0, a3, 48);
    v128.store(o1, b0); v128.store(o1, b1, 16); v128.store(o1, b2, 32); v128.store(o1, b3, 48);
    o0 += 64;
    o1 += 64;
  }
}

function addSingle(w: usize, values: usize, stride: usize, o: usize, count: i32): void {
  const end = w + (<usize>count << 2);
  for (let dimension: usize = 0; dimension < stride; dimension += 64) {
    let a = w, v = values + dimension;
    let a0 = v128.load(o), a1 = v128.load(o, 16), a2 = v128.load(o, 32), a3 = v128.load(o, 48);
    while (a < end) {
      const x = v128.load32_splat(a);
      a0 = multiplyAdd(v128.load(v), x, a0);
      a1 = multiplyAdd(v128.load(v, 16), x, a1);
      a2 = multiplyAdd(v128.load(v, 32), x, a2);
      a3 = multiplyAdd(v128.load(v, 48), x, a3);
      a += 4; v += stride;
    }
    v128.store(o, a0); v128.store(o, a1, 16); v128.store(o, a2, 32); v128.store(o, a3, 48);
    o += 64;
  }
}
