/**
 * What a core of the machine can do at most through WebAssembly: loops that only compute in registers, and one that only
 * reads. The kernels are measured against them in the same run.
 *
 * Nothing may be computed before its loop: each product depends on what the round before left.
 */

/** Floating-point operations of a round of `multiplyAdd`. */
export function multiplyAddOperations(): i32 {
  return ASC_FEATURE_RELAXED_SIMD ? 12 * 8 : 8 * 8;
}

/** `rounds` rounds of f32 multiplications and additions on registers. `values`: 64 bytes; results go to the 192 behind them. */
export function multiplyAdd(values: usize, rounds: i32): void {
  if (ASC_FEATURE_RELAXED_SIMD) fusedChains(values, rounds);
  else crossedProducts(values, rounds);
}

/** Twelve chains of fused multiply-adds: more than the 8 that cover their latency, few enough for 16 registers. */
function fusedChains(values: usize, rounds: i32): void {
  const x = v128.load(values), y = v128.load(values, 16);
  let a = x, b = x, c = x, d = x, e = x, f = x, g = x, h = x, i = x, j = x, k = x, l = x;
  while (rounds-- > 0) {
    a = f32x4.relaxed_madd(a, x, y); b = f32x4.relaxed_madd(b, x, y); c = f32x4.relaxed_madd(c, x, y);
    d = f32x4.relaxed_madd(d, x, y); e = f32x4.relaxed_madd(e, x, y); f = f32x4.relaxed_madd(f, x, y);
    g = f32x4.relaxed_madd(g, x, y); h = f32x4.relaxed_madd(h, x, y); i = f32x4.relaxed_madd(i, x, y);
    j = f32x4.relaxed_madd(j, x, y); k = f32x4.relaxed_madd(k, x, y); l = f32x4.relaxed_madd(l, x, y);
  }
  keep(values, a, b, c, d, e, f);
  keep(values + 96, g, h, i, j, k, l);
}

/**
 * Eight sums of the products of four values with two that change places: chains of a multiplication and an addition
 * would be bound by their latency, and products of constants computed once.
 */
function crossedProducts(values: usize, rounds: i32): void {
  const s0 = v128.load(values), s1 = v128.load(values, 16), s2 = v128.load(values, 32), s3 = v128.load(values, 48);
  let w0 = s0, w1 = s1;
  let a = f32x4.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
  while (rounds-- > 0) {
    a = f32x4.add(f32x4.mul(s0, w0), a); b = f32x4.add(f32x4.mul(s0, w1), b);
    c = f32x4.add(f32x4.mul(s1, w0), c); d = f32x4.add(f32x4.mul(s1, w1), d);
    e = f32x4.add(f32x4.mul(s2, w0), e); f = f32x4.add(f32x4.mul(s2, w1), f);
    g = f32x4.add(f32x4.mul(s3, w0), g); h = f32x4.add(f32x4.mul(s3, w1), h);
    const w = w0;
    w0 = w1;
    w1 = w;
  }
  keep(values, a, b, c, d, e, f);
  keep(values + 96, g, h, a, a, a, a);
}

/** Integer operations of a round of `multiplyAddIntegers`: a dot product has two multiplications a lane. */
export function multiplyAddIntegerOperations(): i32 {
  return 8 * 16;
}

/** The same on pairs of 16-bit integers summed in 32 bits. */
export function multiplyAddIntegers(values: usize, rounds: i32): void {
  const s0 = v128.load(values), s1 = v128.load(values, 16), s2 = v128.load(values, 32), s3 = v128.load(values, 48);
  let w0 = s0, w1 = s1;
  let a = i32x4.splat(0), b = a, c = a, d = a, e = a, f = a, g = a, h = a;
  while (rounds-- > 0) {
    a = i32x4.add(i32x4.dot_i16x8_s(s0, w0), a); b = i32x4.add(i32x4.dot_i16x8_s(s0, w1), b);
    c = i32x4.add(i32x4.dot_i16x8_s(s1, w0), c); d = i32x4.add(i32x4.dot_i16x8_s(s1, w1), d);
    e = i32x4.add(i32x4.dot_i16x8_s(s2, w0), e); f = i32x4.add(i32x4.dot_i16x8_s(s2, w1), f);
    g = i32x4.add(i32x4.dot_i16x8_s(s3, w0), g); h = i32x4.add(i32x4.dot_i16x8_s(s3, w1), h);
    const w = w0;
    w0 = w1;
    w1 = w;
  }
  keep(values, a, b, c, d, e, f);
  keep(values + 96, g, h, a, a, a, a);
}

function keep(values: usize, a: v128, b: v128, c: v128, d: v128, e: v128, f: v128): void {
  v128.store(values, a, 64); v128.store(values, b, 80); v128.store(values, c, 96);
  v128.store(values, d, 112); v128.store(values, e, 128); v128.store(values, f, 144);
}

/** Reads `byteLength` bytes (a multiple of 128) as four streams far apart, which draw the most from memory. @returns their parity */
export function read(source: usize, byteLength: usize): i32 {
  const quarter = byteLength >> 2;
  const end = source + quarter;
  let p1 = end, p2 = end + quarter, p3 = end + quarter * 2;
  let a = i32x4.splat(0), b = a, c = a, d = a;
  for (let p0 = source; p0 < end; p0 += 32) {
    a = v128.xor(a, v128.xor(v128.load(p0), v128.load(p0, 16)));
    b = v128.xor(b, v128.xor(v128.load(p1), v128.load(p1, 16)));
    c = v128.xor(c, v128.xor(v128.load(p2), v128.load(p2, 16)));
    d = v128.xor(d, v128.xor(v128.load(p3), v128.load(p3, 16)));
    p1 += 32; p2 += 32; p3 += 32;
  }
  return i32x4.extract_lane(v128.xor(v128.xor(a, b), v128.xor(c, d)), 0);
}
