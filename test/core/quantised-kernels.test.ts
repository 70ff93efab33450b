/** 8-bit weights and quantised activations, in both builds: the codes themselves, then the products with them. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Core } from "../../src/core/core.ts";
import { assertNear, largestMagnitude, ROUNDING } from "../support/assertions.ts";
import { builds, guarded, makeCore, place } from "../support/core.ts";
import { normals } from "../support/random.ts";

/** Scratch of the widened panel, in bytes. */
const PANEL_SCRATCH = 4128;

/** Weights as the 8-bit form means them: blocks of 32 along the depth, largest magnitude 127. */
function rounded(weights: Float32Array): Float64Array {
  const result = new Float64Array(weights.length);
  for (let start = 0; start < weights.length; start += 32) {
    const block = weights.subarray(start, start + 32);
    const scale = Math.fround(largestMagnitude(block) / 127);
    for (let i = 0; i < 32; i++) result[start + i] = scale ? Math.round(block[i]! / scale) * scale : 0;
  }
  return result;
}

function packed(core: Core, weights: Float32Array, depth: number): number {
  const rows = weights.length / depth;
  const pointer = core.allocate(Math.ceil(rows / 8) * (depth / 32) * 288);
  const source = place(core, weights);
  core.kernels.packQ8(source, rows, depth, pointer);
  core.free(source);
  return pointer;
}

for (const build of builds) {
  const test = suite(`quantised kernels, ${build}`);
  const core = makeCore(build);
  const { kernels } = core;
  const draw = normals(5);
  const row = (depth: number, pointer: number, index: number) => {
    const target = guarded(core, depth);
    kernels.embedQ8(pointer, index, depth, target.pointer);
    const values = core.f32(target.pointer, depth).slice();
    assert.ok(target.intact());
    core.free(target.pointer);
    return values;
  };

  test("packQ8 rounds each block of 32 to 127 steps; embedQ8 gives the row back", () => {
    for (const [rows, depth] of [
      [1, 32],
      [9, 64],
      [19, 96],
    ] as const) {
      const weights = draw(rows * depth, 0.05);
      weights.fill(0, 0, 32);
      weights[depth - 1] = 3;
      const pointer = packed(core, weights, depth);
      const expected = rounded(weights);
      for (let index = 0; index < rows; index++) {
        const values = row(depth, pointer, index);
        for (let start = 0; start < depth; start += 32) {
          const block = weights.subarray(index * depth + start, index * depth + start + 32);
          const step = largestMagnitude(block) / 127;
          assertNear(values.subarray(start, start + 32), block, () => step * (0.5 + 1e-5), "half a step");
          const near = expected.subarray(index * depth + start, index * depth + start + 32);
          // A value exactly between two steps may go either way; none of the drawn ones lies so near.
          assertNear(
            values.subarray(start, start + 32),
            near,
            (i) => Math.abs(near[i]!) * 2 * ROUNDING,
            "the same step",
          );
        }
      }
      core.free(pointer);
    }
  });

  test("quantiseRow: 16 bits", () => {
    for (const depth of [32, 96, 800]) {
      const values = draw(depth);
      const target = guarded(core, depth / 2);
      const scale = guarded(core, 1);
      kernels.quantiseRow(place(core, values), target.pointer, scale.pointer, depth);
      const factor = core.f32(scale.pointer, 1)[0]!;
      assertNear([factor], [largestMagnitude(values) / 32_767], () => factor * 2 * ROUNDING);
      const codes = new Int16Array(core.memory.buffer, target.pointer, depth).slice();
      assert.is(largestMagnitude(codes), 32_767);
      assertNear(
        codes,
        values.map((value) => value / factor),
        () => 0.5 + 0.01,
        "codes",
      );
      assert.ok(target.intact() && scale.intact());
    }
  });

  test("quantiseRows: 12 bits a block of depth, in pairs, missing rows zero", () => {
    for (const depth of [32, 256, 288, 800]) {
      const step = kernels.integerBlock(depth);
      assert.ok(step <= 256 && step % 32 === 0);
      const blocks = Math.ceil(depth / step);
      assert.is(blocks, Math.ceil(depth / 256));
      for (const rows of [1, 3, 4, 7, 9]) {
        const values = draw(rows * depth);
        values.fill(0, 0, 32);
        const tiles = Math.ceil(rows / 4);
        const target = guarded(core, (tiles * 4 * depth) / 2);
        const scales = guarded(core, tiles * 4 * blocks);
        const source = place(core, values);
        for (let tile = tiles - 1; tile >= 0; tile--) {
          kernels.quantiseRows(source, target.pointer, scales.pointer, rows, depth, tile, tile + 1);
        }
        const codes = new Int16Array(core.memory.buffer, target.pointer, tiles * 4 * depth);
        const factors = core.f32(scales.pointer, tiles * 4 * blocks);
        for (let block = 0; block < blocks; block++) {
          const [start, length] = [block * step, Math.min(step, depth - block * step)];
          for (let index = 0; index < tiles * 4; index++) {
            const factor = factors[block * tiles * 4 + index]!;
            const own = values.subarray(index * depth + start, index * depth + start + length);
            const largest = index < rows ? largestMagnitude(own) : 0;
            assertNear([factor], [largest / 2047], () => (largest / 2047) * 2 * ROUNDING, "scale");
            for (let k = 0; k < length; k++) {
              const at = tiles * 4 * start + (index >> 2) * 4 * length + (k >> 1) * 8 + (index & 3) * 2 + (k & 1);
              const expected = index < rows && factor > 0 ? own[k]! / factor : 0;
              assert.ok(
                Math.abs(codes[at]! - expected) <= (expected === 0 ? 0 : 0.501),
                `row ${index}, depth ${start + k}`,
              );
            }
          }
        }
        assert.ok(target.intact() && scales.intact());
        for (const pointer of [target.pointer, scales.pointer, source]) core.free(pointer);
      }
    }
  });

  test("matmulQ8 and matvecQ8 within what their integers leave out", () => {
    for (const depth of [32, 64, 256, 288, 512, 544, 800]) {
      for (const columns of [1, 8, 20, 33]) {
        const weights = draw(columns * depth, 0.05);
        const pointer = packed(core, weights, depth);
        // As packed: a weight between two steps may go either way.
        const meant = Float32Array.from(
          Array.from({ length: columns }, (_, column) => [...row(depth, pointer, column)]).flat(),
        );
        const panels = Math.ceil(columns / 8);
        const stride = panels * 8;
        const blocks = Math.ceil(depth / kernels.integerBlock(depth));
        for (let rows = 1; rows <= 9; rows += rows < 5 ? 1 : 2) {
          const activations = draw(rows * depth);
          const source = place(core, activations);
          const expected = new Float64Array(rows * columns);
          const allowed = new Float64Array(rows * columns);
          const allowedVector = new Float64Array(rows * columns);
          const magnitudes = new Float64Array(rows * columns);
          for (let at = 0; at < expected.length; at++) {
            const x = activations.subarray(Math.floor(at / columns) * depth).subarray(0, depth);
            const w = meant.subarray((at % columns) * depth).subarray(0, depth);
            let [sum, product, xs, ws] = [0, 0, 0, 0];
            for (let k = 0; k < depth; k++) {
              sum += x[k]! * w[k]!;
              product += Math.abs(x[k]! * w[k]!);
              xs += Math.abs(x[k]!);
              ws += Math.abs(w[k]!);
            }
            expected[at] = sum;
            magnitudes[at] = product;
            // Half a step of each activation; widening rounds weights and scales to steps of the largest over 4,064.
            const [largestX, largestW] = [largestMagnitude(x), largestMagnitude(w)];
            allowed[at] =
              (ws * largestX * 0.5) / 2047 + (xs * largestW * 1.01) / 4064 + (blocks + 8) * ROUNDING * product;
            allowedVector[at] = (ws * largestX * 0.5) / 32_767 + (depth / 32 + 8) * ROUNDING * product;
          }
          const tiles = Math.ceil(rows / 4);
          const quantised = core.allocate(tiles * 4 * depth * 2);
          const scales = core.allocate(tiles * 4 * blocks * 4);
          const results = guarded(core, tiles * 4 * stride);
          const scratch = guarded(core, PANEL_SCRATCH / 4);
          kernels.quantiseRows(source, quantised, scales, rows, depth, 0, tiles);
          const values = (accumulate: number) => {
            kernels.matmulQ8(
              quantised,
              scales,
              pointer,
              results.pointer,
              stride * 4,
              rows,
              depth,
              0,
              panels,
              accumulate,
              scratch.pointer,
            );
            return Float32Array.from(
              expected,
              (_, at) => core.f32(results.pointer, rows * stride)[Math.floor(at / columns) * stride + (at % columns)]!,
            );
          };
          const name = `${rows} x ${depth} x ${columns}`;
          const once = values(0);
          assertNear(once, expected, (at) => allowed[at]!, name);
          assertNear(
            values(1),
            once.map((value) => 2 * value),
            (at) => 2 * (blocks + 2) * ROUNDING * magnitudes[at]!,
            `${name}, accumulated`,
          );
          assert.ok(results.intact() && scratch.intact(), name);

          if (rows === 1) {
            const vector = guarded(core, stride);
            kernels.quantiseRow(source, quantised, scales, depth);
            const scale = core.f32(scales, 1)[0]!;
            const middle = panels >> 1;
            kernels.matvecQ8(quantised, scale, pointer, vector.pointer, depth, middle, panels, 0);
            kernels.matvecQ8(quantised, scale, pointer, vector.pointer, depth, 0, middle, 0);
            const single = core.f32(vector.pointer, columns).slice();
            assertNear(single, expected, (at) => allowedVector[at]!, `${name}, one row`);
            kernels.matvecQ8(quantised, scale, pointer, vector.pointer, depth, 0, panels, 1);
            assert.equal(
              core.f32(vector.pointer, columns),
              single.map((value) => 2 * value),
            );
            assert.ok(vector.intact());
            core.free(vector.pointer);
          }
          for (const address of [source, quantised, scales, results.pointer, scratch.pointer]) core.free(address);
        }
        core.free(pointer);
      }
    }
  });

  test("NaN and infinity in an activation reach every result of its row", () => {
    const depth = 64;
    const pointer = packed(core, draw(8 * depth), depth);
    for (const broken of [Number.NaN, Infinity, -Infinity]) {
      for (let at = 0; at < 4; at++) {
        const activations = draw(2 * depth);
        activations[33 + at] = broken;
        const source = place(core, activations);
        const [quantised, scales, results, scratch] = [4 * depth * 2, 64, 128, PANEL_SCRATCH].map((bytes) =>
          core.allocate(bytes),
        ) as [number, number, number, number];
        kernels.quantiseRows(source, quantised, scales, 2, depth, 0, 1);
        kernels.matmulQ8(quantised, scales, pointer, results, 32, 2, depth, 0, 1, 0, scratch);
        assert.ok(core.f32(results, 8).every(Number.isNaN));
        assert.ok(core.f32(results + 32, 8).every(Number.isFinite));
        kernels.quantiseRow(source, quantised, scales, depth);
        kernels.matvecQ8(quantised, core.f32(scales, 1)[0]!, pointer, results, depth, 0, 1, 0);
        assert.ok(core.f32(results, 8).every(Number.isNaN));
      }
    }
  });

  test.run();
}
