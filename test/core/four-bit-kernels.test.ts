/** 4-bit weights in both builds: packing from ggml's blocks and from f32, rows read back, and the products with them. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Core } from "../../src/core/core.ts";
import { assertNear, largestMagnitude, ROUNDING } from "../support/assertions.ts";
import { builds, guarded, makeCore, place } from "../support/core.ts";
import { normals, seededRandom } from "../support/random.ts";

/** Scratch of the widened panel, in bytes. */
const PANEL_SCRATCH = 4128;
/** The largest widened weight. */
const WIDENED = 4095;

/** A form of 4-bit weights: where they come from, and whether their scales are f32. */
interface Source {
  readonly name: string;
  readonly wide: boolean;
  /** Depths are multiples of this. */
  readonly blockLength: number;
  /** ggml's number and the bytes of a block; without it the source is f32. */
  readonly blocks?: { readonly type: number; readonly bytes: number; readonly halves: readonly number[] };
}

const sources: readonly Source[] = [
  { name: "Q4_0", wide: false, blockLength: 32, blocks: { type: 2, bytes: 18, halves: [0] } },
  { name: "Q4_1", wide: false, blockLength: 32, blocks: { type: 3, bytes: 20, halves: [0, 2] } },
  { name: "Q4_K", wide: true, blockLength: 256, blocks: { type: 12, bytes: 144, halves: [0, 2] } },
  { name: "f32", wide: true, blockLength: 32 },
];

for (const build of builds) {
  const test = suite(`4-bit kernels, ${build}`);
  const core = makeCore(build);
  const { kernels } = core;
  const draw = normals(11);
  const random = seededRandom(12);

  /** A packed matrix of `columns` rows and its weights as f64 know them. */
  function matrix(source: Source, columns: number, depth: number) {
    const panels = Math.ceil(columns / 8);
    const target = guarded(core, (panels * (depth / 32) * (source.wide ? 192 : 160)) / 4);
    const weights = source.blocks
      ? fromBlocks(core, source.blocks, columns, depth, target.pointer, random)
      : fromValues(core, draw(columns * depth, 0.05), depth, target.pointer);
    assert.ok(target.intact(), "packing stays in its place");
    return { pointer: target.pointer, weights, panels };
  }

  for (const source of sources) {
    const wide = Number(source.wide);

    test(`${source.name}: a row read back is the row packed`, () => {
      for (const columns of [1, 8, 19]) {
        const depth = source.blockLength * 3;
        const { pointer, weights } = matrix(source, columns, depth);
        const target = guarded(core, depth);
        for (let row = 0; row < columns; row++) {
          kernels.embedQ4(pointer, row, depth, target.pointer, wide);
          const own = weights.subarray(row * depth, (row + 1) * depth);
          for (let start = 0; start < depth; start += 32) {
            const block = own.subarray(start, start + 32);
            const range = Math.max(...block) - Math.min(...block);
            // From blocks exact but for the rounding of scale · quant + minimum; from f32 half a step of fifteen.
            const allowed = source.blocks ? 3 * largestMagnitude(block) * 2 * ROUNDING * 16 : (range / 30) * (1 + 1e-5);
            assertNear(core.f32(target.pointer + start * 4, 32), block, () => allowed, `row ${row}, depth ${start}`);
          }
        }
        assert.ok(target.intact());
        core.free(target.pointer);
        core.free(pointer);
      }
    });

    test(`${source.name}: products within what their integers leave out`, () => {
      for (const depth of source.blockLength === 256 ? [256, 768] : [32, 288, 544]) {
        for (const columns of [1, 8, 20, 33]) {
          const { pointer, panels } = matrix(source, columns, depth);
          const meant = new Float32Array(columns * depth);
          const embedded = core.allocate(depth * 4);
          for (let column = 0; column < columns; column++) {
            kernels.embedQ4(pointer, column, depth, embedded, wide);
            meant.set(core.f32(embedded, depth), column * depth);
          }
          core.free(embedded);
          for (const rows of [1, 4, 7]) {
            products(core, wide, pointer, meant, panels, draw(rows * depth), rows, depth, columns);
          }
          core.free(pointer);
        }
      }
    });
  }

  test("quantiseRowQ4: differences of 11-bit integers, a scale for each block of depth, sums of each 32", () => {
    for (const depth of [32, 288, 800]) {
      const values = draw(depth);
      const step = kernels.integerBlock(depth);
      const target = guarded(core, depth / 2);
      const scales = guarded(core, Math.ceil(depth / step));
      const sums = guarded(core, depth / 16);
      const source = place(core, values);
      kernels.quantiseRowQ4(source, target.pointer, scales.pointer, sums.pointer, depth);
      const codes = new Int16Array(core.memory.buffer, target.pointer, depth).slice();
      // Undone: each pair and 16 times the one before it, within the four of a group.
      for (let at = 0; at < depth; at++) if (at % 8 >= 2) codes[at]! += 16 * codes[at - 2]!;
      for (let start = 0; start < depth; start += step) {
        const block = values.subarray(start, start + step);
        const scale = core.f32(scales.pointer, Math.ceil(depth / step))[start / step]!;
        assertNear([scale], [largestMagnitude(block) / 1927], () => scale * 2 * ROUNDING);
        assert.is(largestMagnitude(codes.subarray(start, start + step)), 1927);
        assertNear(
          codes.subarray(start, start + step),
          block.map((value) => value / scale),
          () => 0.501,
          "codes",
        );
      }
      for (let block = 0; block < depth / 32; block++) {
        const own = Array.from(codes.subarray(block * 32, block * 32 + 32));
        assert.is(
          core.f32(sums.pointer, depth / 16)[block * 2],
          own.reduce((a, b) => a + b, 0),
        );
        const fourths = own.filter((_, at) => at % 8 >= 6).reduce((a, b) => a + b, 0);
        assert.is(core.i32(sums.pointer, depth / 16)[block * 2 + 1], 8 * fourths);
      }
      assert.ok(target.intact() && scales.intact() && sums.intact());
      for (const each of [source, target.pointer, scales.pointer, sums.pointer]) core.free(each);
    }
  });

  test("NaN in an activation reaches every result", () => {
    const [depth, columns] = [64, 8];
    const pointer = core.allocate(2 * 192);
    fromValues(core, draw(depth * columns), depth, pointer);
    const activations = draw(depth);
    activations[33] = Number.NaN;
    const source = place(core, activations);
    const [quantised, scales, sums, results] = [128, 8, 16, 32].map((bytes) => core.allocate(bytes)) as [
      number,
      number,
      number,
      number,
    ];
    kernels.quantiseRowQ4(source, quantised, scales, sums, depth);
    kernels.matvecQ4(quantised, scales, sums, pointer, results, depth, 0, 1, 0, 1);
    assert.ok(core.f32(results, 8).every(Number.isNaN));
    for (const each of [pointer, source, quantised, scales, sums, results]) core.free(each);
  });

  test("tiny weights, and columns of zeros, are widened like others", () => {
    for (const scale of [1e-6, 1e-30, 0]) {
      const [depth, columns] = [64, 8];
      const weights = draw(depth * columns, scale);
      const pointer = core.allocate(2 * 192);
      fromValues(core, weights, depth, pointer);
      const meant = new Float32Array(columns * depth);
      const embedded = core.allocate(depth * 4);
      for (let column = 0; column < columns; column++) {
        kernels.embedQ4(pointer, column, depth, embedded, 1);
        meant.set(core.f32(embedded, depth), column * depth);
      }
      products(core, 1, pointer, meant, 1, draw(depth), 1, depth, columns);
      core.free(embedded);
      core.free(pointer);
    }
  });

  test.run();
}

/** Both products against sums in f64, and what they add to. */
function products(
  core: Core,
  wide: number,
  weights: number,
  meant: Float32Array,
  panels: number,
  activations: Float32Array,
  rows: number,
  depth: number,
  columns: number,
): void {
  const { kernels } = core;
  const blocks = Math.ceil(depth / kernels.integerBlock(depth));
  const stride = panels * 8;
  const expected = new Float64Array(rows * columns);
  const allowed = new Float64Array(rows * columns);
  const allowedVector = new Float64Array(rows * columns);
  for (let at = 0; at < expected.length; at++) {
    const x = activations.subarray(Math.floor(at / columns) * depth).subarray(0, depth);
    const w = meant.subarray((at % columns) * depth).subarray(0, depth);
    let [sum, xs, ws] = [0, 0, 0];
    for (let k = 0; k < depth; k++) {
      sum += x[k]! * w[k]!;
      xs += Math.abs(x[k]!);
      ws += Math.abs(w[k]!);
    }
    const [largestX, largestW] = [largestMagnitude(x), largestMagnitude(w)];
    expected[at] = sum;
    // A block's weights reach from its minimum over 15 steps: scale · quant is at most twice the largest of the column.
    const rounding = (depth / 32 + 16) * ROUNDING * 3 * largestW * xs;
    // Half a step of each activation; of each weight half a unit each of step, product and offset, on the column's largest
    // value possible at quants 0 and 15, which the drawn ones may not reach.
    allowed[at] = (ws * largestX * 0.5) / 2047 + (xs * reach(w) * 1.6) / WIDENED + rounding;
    allowedVector[at] = (ws * largestX * 0.5) / 1927 + rounding;
  }
  const tiles = Math.ceil(rows / 4);
  const source = place(core, activations);
  const quantised = core.allocate(tiles * 4 * depth * 2);
  const scales = core.allocate(tiles * 4 * blocks * 4);
  const results = guarded(core, tiles * 4 * stride);
  const scratch = guarded(core, PANEL_SCRATCH / 4);
  kernels.quantiseRows(source, quantised, scales, rows, depth, 0, tiles);
  const multiply = (first: number, end: number, accumulate: number) =>
    kernels.matmulQ4(
      quantised,
      scales,
      weights,
      results.pointer,
      stride * 4,
      rows,
      depth,
      first,
      end,
      accumulate,
      wide,
      scratch.pointer,
    );
  const read = () =>
    Float32Array.from(
      expected,
      (_, at) => core.f32(results.pointer, rows * stride)[Math.floor(at / columns) * stride + (at % columns)]!,
    );
  const name = `${rows} x ${depth} x ${columns}`;
  const middle = panels >> 1;
  multiply(middle, panels, 0);
  multiply(0, middle, 0);
  const once = read();
  assertNear(once, expected, (at) => allowed[at]!, name);
  multiply(0, panels, 1);
  assertNear(
    read(),
    once.map((value) => 2 * value),
    (at) => allowed[at]! * 0.01,
    `${name}, added to`,
  );
  assert.ok(results.intact() && scratch.intact(), name);

  if (rows === 1) {
    const vector = guarded(core, stride);
    const sums = core.allocate((depth / 32) * 8);
    kernels.quantiseRowQ4(source, quantised, scales, sums, depth);
    const multiplyRow = (first: number, end: number, accumulate: number) =>
      kernels.matvecQ4(quantised, scales, sums, weights, vector.pointer, depth, first, end, accumulate, wide);
    multiplyRow(middle, panels, 0);
    multiplyRow(0, middle, 0);
    const single = core.f32(vector.pointer, columns).slice();
    assertNear(single, expected, (at) => allowedVector[at]!, `${name}, one row`);
    multiplyRow(0, panels, 1);
    assert.equal(
      core.f32(vector.pointer, columns),
      single.map((value) => 2 * value),
    );
    assert.ok(vector.intact());
    core.free(vector.pointer);
    core.free(sums);
  }
  for (const address of [source, quantised, scales, results.pointer, scratch.pointer]) core.free(address);
}

/** The largest magnitude that a block's line may reach: quants 0 and 15 of the narrowest line through its values. */
function reach(weights: Float32Array): number {
  return 3 * largestMagnitude(weights);
}

/** Packs f32; @returns them */
function fromValues(core: Core, values: Float32Array, depth: number, target: number): Float32Array {
  const address = place(core, values);
  core.kernels.packQ4(address, values.length / depth, depth, target);
  core.free(address);
  return values;
}

/** Packs random blocks; @returns their weights by ggml's definition, which the tests of the dequantisation check against recorded values */
function fromBlocks(
  core: Core,
  blocks: NonNullable<Source["blocks"]>,
  columns: number,
  depth: number,
  target: number,
  random: () => number,
): Float32Array {
  const length = blocks.type === 12 ? 256 : 32;
  const address = placeBytes(core, randomBlocks(blocks, (columns * depth) / length, random));
  core.kernels.packQ4Blocks(blocks.type, address, columns, depth, target);
  const values = core.allocate(columns * depth * 4);
  core.kernels.dequantise(blocks.type, address, values, columns * depth);
  const weights = core.f32(values, columns * depth).slice();
  core.free(address);
  core.free(values);
  return weights;
}

/** Blocks of random bytes whose halves are between 2^-9 and 2^-5, of either sign. */
function randomBlocks(blocks: NonNullable<Source["blocks"]>, count: number, random: () => number): Uint8Array {
  const bytes = Uint8Array.from({ length: count * blocks.bytes }, () => Math.floor(random() * 256));
  for (let block = 0; block < count; block++) {
    for (const at of blocks.halves) {
      const high = block * blocks.bytes + at + 1;
      bytes[high] = (bytes[high]! & 0x83) | ((6 + Math.floor(random() * 4)) << 2);
    }
  }
  return bytes;
}

/** Copies bytes into the core's memory. @returns their address */
function placeBytes(core: Core, bytes: Uint8Array): number {
  const pointer = core.allocate(bytes.length);
  core.bytes(pointer, bytes.length).set(bytes);
  return pointer;
}
