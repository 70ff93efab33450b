/**
 * The f32 matrix-vector product for decoding, bound by memory: four panels far apart are walked at once, because
 * several streams draw more bytes a second from memory than one.
 */
import { multiplyAdd } from "./simd";

/**
 * Products summed in one chain before the chain's sum is added to the result. Rounding errs in proportion to the sum so
 * far: a single chain over the whole depth, or one that begins at the residual, errs three times as much in a model's logits.
 */
export const SUM_TERMS: usize = 128;

/** results (+)= weights · activations for the panels [firstPanel, endPanel) of 8 columns each. */
export function matvecF32(
  activations: usize, weights: usize, results: usize, depth: i32, firstPanel: i32, endPanel: i32, accumulate: i32,
): void {
  const panelBytes = <usize>depth << 5;
  const quarter = (endPanel - firstPanel) >> 2;
  const stream = panelBytes * quarter;
  const target = <usize>quarter << 5;
  let w = weights + panelBytes * firstPanel;
  let c = results + (<usize>firstPanel << 5);
  for (let panel = 0; panel < quarter; panel++) {
    fourPanels(activations, activations + (<usize>depth << 2), w, stream, c, target, accumulate);
    w += panelBytes;
    c += 32;
  }
  for (let panel = firstPanel + (quarter << 2); panel < endPanel; panel++) {
    onePanel(activations, activations + (<usize>depth << 2), weights + panelBytes * panel, results + (<usize>panel << 5), accumulate);
  }
}

function fourPanels(x: usize, xEnd: usize, w0: usize, stream: usize, c: usize, target: usize, accumulate: i32): void {
  let w1 = w0 + stream;
  let w2 = w1 + stream;
  let w3 = w2 + stream;
  while (x < xEnd) {
    const chainEnd = min(x + (SUM_TERMS << 2), xEnd);
    let a00 = f32x4.splat(0), a01 = a00, a10 = a00, a11 = a00, a20 = a00, a21 = a00, a30 = a00, a31 = a00;
    while (x < chainEnd) {
      const s = v128.load32_splat(x);
      a00 = multiplyAdd(s, v128.load(w0), a00); a01 = multiplyAdd(s, v128.load(w0, 16), a01);
      a10 = multiplyAdd(s, v128.load(w1), a10); a11 = multiplyAdd(s, v128.load(w1, 16), a11);
      a20 = multiplyAdd(s, v128.load(w2), a20); a21 = multiplyAdd(s, v128.load(w2, 16), a21);
      a30 = multiplyAdd(s, v128.load(w3), a30); a31 = multiplyAdd(s, v128.load(w3, 16), a31);
      x += 4;
      w0 += 32; w1 += 32; w2 += 32; w3 += 32;
    }
    put(c, a00, a01, accumulate);
    put(c + target, a10, a11, accumulate);
    put(c + target * 2, a20, a21, accumulate);
    put(c + target * 3, a30, a31, accumulate);
    accumulate = 1;
  }
}

function onePanel(x: usize, xEnd: usize, w: usize, c: usize, accumulate: i32): void {
  while (x < xEnd) {
    const chainEnd = min(x + (SUM_TERMS << 2), xEnd);
    let a0 = f32x4.splat(0), a1 = a0;
    while (x < chainEnd) {
      const s = v128.load32_splat(x);
      a0 = multiplyAdd(s, v128.load(w), a0);
      a1 = multiplyAdd(s, v128.load(w, 16), a1);
      x += 4;
      w += 32;
    }
    put(c, a0, a1, accumulate);
    accumulate = 1;
  }
}

/** Stores eight results, added to what stands there when they are to be accumulated. */
// @ts-ignore: decorator
@inline
export function put(c: usize, low: v128, high: v128, accumulate: i32): void {
  if (accumulate) {
    low = f32x4.add(low, v128.load(c));
    high = f32x4.add(high, v128.load(c, 16));
  }
  v128.store(c, low);
  v128.store(c, high, 16);
}
