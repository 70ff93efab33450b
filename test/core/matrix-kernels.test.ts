/** The f32 matrix products and the packing of their operands, in both builds, against plain sums. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Core } from "../../src/core/core.ts";
import { assertNear, assertSame, ROUNDING } from "../support/assertions.ts";
import { builds, guarded, makeCore, place } from "../support/core.ts";
import { normals } from "../support/random.ts";

/** Products that are summed in one chain before they are added to the result. */
const CHAIN = 128;

/** weights [columns, depth] times rows [rows, depth], in f64, and how far f32 may be from it. */
function product(rows: Float32Array, weights: Float32Array, depth: number, start?: Float32Array) {
  const [m, n] = [rows.length / depth, weights.length / depth];
  const values = new Float64Array(m * n);
  const tolerances = new Float64Array(m * n);
  const roundings = 1 + Math.min(depth, CHAIN) + Math.ceil(depth / CHAIN);
  for (let row = 0; row < m; row++) {
    for (let column = 0; column < n; column++) {
      let sum = start?.[row * n + column] ?? 0;
      let magnitude = Math.abs(sum);
      for (let k = 0; k < depth; k++) {
        const term = rows[row * depth + k]! * weights[column * depth + k]!;
        sum += term;
        magnitude += Math.abs(term);
      }
      values[row * n + column] = sum;
      tolerances[row * n + column] = roundings * ROUNDING * magnitude;
    }
  }
  return { values, tolerances };
}

/** The first `columns` of each of `rows` rows that are `stride` floats apart. */
function cut(core: Core, pointer: number, rows: number, columns: number, stride: number): Float32Array {
  const result = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) result.set(core.f32(pointer + row * stride * 4, columns), row * columns);
  return result;
}

for (const build of builds) {
  const test = suite(`matrix kernels, ${build}`);
  const core = makeCore(build);
  const { kernels } = core;
  const draw = normals(4);

  test("packF32: panels of 8, missing rows zero; embedF32 takes a row back", () => {
    for (const [rows, depth] of [
      [1, 1],
      [8, 5],
      [13, 32],
      [24, 7],
    ] as const) {
      const weights = draw(rows * depth);
      const panels = Math.ceil(rows / 8);
      const source = place(core, weights);
      const packed = guarded(core, panels * 8 * depth);
      kernels.packF32(source, rows, depth, packed.pointer);
      const values = core.f32(packed.pointer, panels * 8 * depth);
      for (let row = 0; row < panels * 8; row++) {
        for (let k = 0; k < depth; k++) {
          const at = ((row >> 3) * depth + k) * 8 + (row & 7);
          assert.is(values[at], row < rows ? weights[row * depth + k] : 0);
        }
      }
      assert.ok(packed.intact());
      const target = guarded(core, depth);
      for (const row of [0, rows - 1]) {
        kernels.embedF32(packed.pointer, row, depth, target.pointer);
        assert.equal(core.f32(target.pointer, depth), weights.subarray(row * depth, (row + 1) * depth));
      }
      assert.ok(target.intact());
    }
  });

  test("packTransposedF32 is packF32 of the transpose", () => {
    for (const [depth, columns] of [
      [5, 3],
      [7, 16],
      [32, 9],
    ] as const) {
      const matrix = draw(depth * columns);
      const transpose = matrix.map((_, at) => matrix[(at % depth) * columns + Math.floor(at / depth)]!);
      const count = Math.ceil(columns / 8) * 8 * depth;
      const [one, other] = [guarded(core, count), guarded(core, count)];
      kernels.packTransposedF32(place(core, matrix), depth, columns, one.pointer);
      kernels.packF32(place(core, transpose), columns, depth, other.pointer);
      assertSame(core.f32(one.pointer, count), core.f32(other.pointer, count));
      assert.ok(one.intact());
    }
  });

  test("packRowsF32: tiles of 4, any depth, missing rows zero", () => {
    for (let rows = 1; rows <= 9; rows++) {
      for (const depth of [1, 3, 4, 6, 32]) {
        const values = draw(rows * depth);
        const tiles = Math.ceil(rows / 4);
        const source = place(core, values);
        const packed = guarded(core, tiles * 4 * depth);
        // The last tile first: tiles are shared among threads.
        for (let tile = tiles - 1; tile >= 0; tile--) {
          kernels.packRowsF32(source, packed.pointer, rows, depth, tile, tile + 1);
        }
        const result = core.f32(packed.pointer, tiles * 4 * depth);
        for (let row = 0; row < tiles * 4; row++) {
          for (let k = 0; k < depth; k++) {
            const expected = row < rows ? values[row * depth + k] : 0;
            assert.is(result[((row >> 2) * depth + k) * 4 + (row & 3)], expected, `${rows} x ${depth}`);
          }
        }
        assert.ok(packed.intact());
      }
    }
  });

  test("matmulF32 and matvecF32: rows 1 to 9, any number of columns, depths across a block, accumulating", () => {
    for (const depth of [1, 32, 100, 768, 769, 800]) {
      for (const columns of [1, 8, 13, 40, 67]) {
        const weights = draw(columns * depth);
        const panels = Math.ceil(columns / 8);
        const packedWeights = core.allocate(panels * 8 * depth * 4);
        core.borrow({ source: weights.byteLength }, ({ source }) => {
          core.f32(source, weights.length).set(weights);
          kernels.packF32(source, columns, depth, packedWeights);
        });
        for (let rows = 1; rows <= 9; rows++) {
          const activations = draw(rows * depth);
          const tiles = Math.ceil(rows / 4);
          const stride = panels * 8;
          const results = guarded(core, tiles * 4 * stride);
          const source = place(core, activations);
          const packed = core.allocate(tiles * 4 * depth * 4);
          kernels.packRowsF32(source, packed, rows, depth, 0, tiles);
          const run = (accumulate: number) => {
            // In two shares, as threads take them.
            const middle = panels >> 1;
            for (const [first, end] of [
              [middle, panels],
              [0, middle],
            ] as const) {
              kernels.matmulF32(
                packed,
                packedWeights,
                results.pointer,
                stride * 4,
                rows,
                depth,
                first,
                end,
                accumulate,
              );
            }
            return cut(core, results.pointer, rows, columns, stride);
          };
          const name = `${rows} x ${depth} x ${columns}`;
          const first = run(0);
          const expected = product(activations, weights, depth);
          assertNear(first, expected.values, (i) => expected.tolerances[i]!, name);
          const summed = product(activations, weights, depth, first);
          assertNear(run(1), summed.values, (i) => summed.tolerances[i]!, `${name}, accumulated`);
          assert.ok(results.intact(), name);

          if (rows === 1) {
            const vector = guarded(core, stride);
            kernels.matvecF32(source, packedWeights, vector.pointer, depth, 0, panels, 0);
            const row = core.f32(vector.pointer, columns).slice();
            assertNear(row, expected.values, (i) => expected.tolerances[i]!, `${name}, one row`);
            const middle = panels >> 1;
            for (const [from, end] of [
              [0, middle],
              [middle, panels],
            ] as const) {
              kernels.matvecF32(source, packedWeights, vector.pointer, depth, from, end, 1);
            }
            const twice = product(activations, weights, depth, row);
            assertNear(core.f32(vector.pointer, columns), twice.values, (i) => twice.tolerances[i]!, name);
            assert.ok(vector.intact());
            core.free(vector.pointer);
          }
          for (const pointer of [results.pointer, source, packed]) core.free(pointer);
        }
        core.free(packedWeights);
      }
    }
  });

  test("a large result takes in small products that would each be rounded off", () => {
    const [rows, depth, columns] = [4, 1024, 40];
    const panels = columns / 8;
    const ones = place(core, new Float32Array(rows * depth).fill(1));
    const weights = place(core, new Float32Array(depth * columns).fill(1));
    const results = core.allocate(rows * columns * 4);
    // 2^24 + 1 is no f32 and becomes 2^24 again.
    const start = 2 ** 24;
    core.f32(results, rows * columns).fill(start);
    kernels.matmulF32(ones, weights, results, columns * 4, rows, depth, 0, panels, 1);
    assert.ok(core.f32(results, rows * columns).every((value) => value === start + depth));
    core.f32(results, columns).fill(start);
    kernels.matvecF32(ones, weights, results, depth, 0, panels, 1);
    assert.ok(core.f32(results, columns).every((value) => value === start + depth));
    for (const pointer of [ones, weights, results]) core.free(pointer);
  });

  test("one large product costs the precision of its own chain alone", () => {
    const [rows, depth, columns] = [4, 1000, 40];
    for (const large of [0, 500, 999]) {
      const activations = new Float32Array(rows * depth).fill(1);
      for (let row = 0; row < rows; row++) activations[row * depth + large] = 2 ** 24;
      const source = place(core, activations);
      const packed = core.allocate(rows * depth * 4);
      kernels.packRowsF32(source, packed, rows, depth, 0, 1);
      const weights = place(core, new Float32Array(depth * columns).fill(1));
      const results = core.allocate(rows * columns * 4);
      const expected = new Float64Array(rows * columns).fill(2 ** 24 + depth - 1);
      kernels.matmulF32(packed, weights, results, columns * 4, rows, depth, 0, columns / 8, 0);
      assertNear(core.f32(results, rows * columns), expected, () => CHAIN, `${large}`);
      kernels.matvecF32(source, weights, results, depth, 0, columns / 8, 0);
      assertNear(core.f32(results, columns), expected.subarray(0, columns), () => CHAIN, `${large}`);
      for (const pointer of [source, packed, weights, results]) core.free(pointer);
    }
  });

  test.run();
}
