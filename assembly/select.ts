/** Choices over a vector: the largest entry, the k largest, and whether all are finite. */

/** Index of the largest of `count` f32, the lowest on ties. */
export function argMax(source: usize, count: i32): i32 {
  let best = 0;
  let largest = load<f32>(source);
  for (let i = 1; i < count; i++) {
    const value = load<f32>(source + (<usize>i << 2));
    if (value > largest) {
      largest = value;
      best = i;
    }
  }
  return best;
}

/** 1 when none of `count` f32 (a multiple of 4) is NaN or infinite. */
export function allFinite(source: usize, count: i32): i32 {
  let spread = f32x4.splat(0);
  // x · 0 is 0 for finite x and NaN for all others, and NaN survives addition.
  for (const end = source + (<usize>count << 2); source < end; source += 16) {
    spread = f32x4.add(spread, f32x4.mul(v128.load(source), f32x4.splat(0)));
  }
  return i32(!v128.any_true(f32x4.ne(spread, spread)));
}

/**
 * Writes the indices of the `keep` largest of `count` f32 in ascending order; ties go to the lower index.
 * @param scratch `count` u32
 */
export function topIndices(source: usize, count: i32, keep: i32, target: usize, scratch: usize): void {
  if (keep <= 0) return;
  for (let i = 0; i < count; i++) store<u32>(scratch + (<usize>i << 2), ordered(load<f32>(source + (<usize>i << 2))));
  // Finds the smallest kept value bit by bit: the largest threshold that at least `keep` values reach.
  let threshold: u32 = 0;
  for (let bit = 31; bit >= 0; bit--) {
    const candidate = threshold | (<u32>1 << bit);
    let reached = 0;
    for (let i = 0; i < count; i++) reached += i32(load<u32>(scratch + (<usize>i << 2)) >= candidate);
    if (reached >= keep) threshold = candidate;
  }
  let above = 0;
  for (let i = 0; i < count; i++) above += i32(load<u32>(scratch + (<usize>i << 2)) > threshold);
  let ties = keep - above;
  for (let i = 0; i < count; i++) {
    const value = load<u32>(scratch + (<usize>i << 2));
    if (value < threshold || (value == threshold && ties-- <= 0)) continue;
    store<i32>(target, i);
    target += 4;
  }
}

/** The bits of an f32 as an unsigned integer in the same order; adding 0 makes -0 equal to 0. */
// @ts-ignore: decorator
@inline
function ordered(value: f32): u32 {
  const bits = reinterpret<u32>(value + 0);
  return bits & 0x80000000 ? ~bits : bits | 0x80000000;
}
