/** Norm, softmax, SiLU, addition and the choices over a vector, in both builds, against plain arithmetic in f64. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assertNear, ROUNDING } from "../support/assertions.ts";
import { builds, guarded, makeCore, place } from "../support/core.ts";
import { integers, normals } from "../support/random.ts";

for (const build of builds) {
  const test = suite(`row kernels, ${build}`);
  const core = makeCore(build);
  const { kernels } = core;
  const draw = normals(6);
  const whole = integers(7);

  test("rmsNorm", () => {
    for (let rows = 1; rows <= 9; rows++) {
      for (const width of [1, 3, 4, 6, 64, 385, 4096]) {
        const [values, weight] = [draw(rows * width, 3), draw(width)];
        const [source, weights] = [place(core, values), place(core, weight)];
        const target = guarded(core, rows * width);
        const middle = rows >> 1;
        kernels.rmsNorm(source, weights, target.pointer, width, 1e-5, middle, rows, 0);
        kernels.rmsNorm(source, weights, target.pointer, width, 1e-5, 0, middle, 0);
        const expected = Float64Array.from(values, (value, at) => {
          const row = values.subarray(Math.floor(at / width) * width).subarray(0, width);
          return (value * weight[at % width]!) / Math.sqrt(row.reduce((sum, x) => sum + x * x, 0) / width + 1e-5);
        });
        // The sum is one of f64: the factor is rounded, and two products.
        const allowed = (at: number) => 3.01 * ROUNDING * Math.abs(expected[at]!);
        const normed = core.f32(target.pointer, rows * width).slice();
        assertNear(normed, expected, allowed);
        kernels.rmsNorm(source, weights, target.pointer, width, 1e-5, 0, rows, 1);
        assert.equal(
          core.f32(target.pointer, rows * width).slice(),
          normed.map((value) => value + value),
        );
        assert.ok(target.intact());
      }
    }
  });

  test("gateMultiply by GELU in its tanh form", () => {
    const gates = Float32Array.from([
      0,
      -0,
      1,
      -1,
      3,
      -3,
      6,
      -6,
      9,
      -9,
      40,
      -40,
      1e4,
      -1e4,
      1e-20,
      -1e-20,
      ...draw(48, 3),
    ]);
    const ups = draw(64);
    const gate = place(core, gates);
    kernels.gateMultiply(gate, place(core, ups), 16, 1, 4, 1);
    kernels.gateMultiply(gate, place(core, ups), 16, 0, 1, 1);
    const factors = Float64Array.from(gates, (x) => {
      // (1 + tanh y) / 2, written so that nothing cancels where it is next to nothing.
      return 1 / (1 + Math.exp(-2 * Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
    });
    const expected = Float64Array.from(gates, (x, i) => x * factors[i]! * ups[i]!);
    // The exponent, up to 88, is rounded four times, and what e^88 leaves of x is 6e-39.
    const allowed = (i: number) => {
      const exponent = Math.min(88, Math.abs(1.6 * (gates[i]! + 0.044715 * gates[i]! ** 3)));
      return (6 + 4 * exponent) * ROUNDING * Math.abs(expected[i]!) + 2e-37 * Math.abs(gates[i]!);
    };
    assertNear(core.f32(gate, 64), expected, allowed);
  });

  test("add writes over an operand too", () => {
    for (const count of [1, 2, 3, 4, 7, 64, 99]) {
      const [a, b] = [draw(count), draw(count)];
      const sum = a.map((value, i) => value + b[i]!);
      const target = guarded(core, count);
      core.f32(target.pointer, count).set(a);
      kernels.add(target.pointer, place(core, b), target.pointer, count);
      assert.equal(core.f32(target.pointer, count), sum);
      assert.ok(target.intact());
    }
  });

  test("gateMultiply by SiLU over the whole range of f32", () => {
    const edges = [0, -0, 1, -1, 20, -20, 86, -86, 90, -90, 1e4, -1e4, 1e30, -1e30, 1e-30, -1e-30];
    const gates = Float32Array.from([...edges, ...draw(48, 5)]);
    const ups = draw(64);
    const gate = place(core, gates);
    kernels.gateMultiply(gate, place(core, ups), 16, 1, 4, 0);
    kernels.gateMultiply(gate, place(core, ups), 16, 0, 1, 0);
    const expected = Float64Array.from(gates, (x, i) => (x / (1 + Math.exp(-x))) * ups[i]!);
    // Below -87 e^-x is held at e^88, 6e-39 of x being left over.
    assertNear(
      core.f32(gate, 64),
      expected,
      (i) => 5 * ROUNDING * Math.abs(expected[i]!) + 2e-37 * Math.abs(gates[i]!),
    );
  });

  test("softmax: the exponential to 1e-7 over its whole range", () => {
    const steps = Float32Array.from({ length: 4001 }, (_, i) => (-88 * i) / 4000);
    const source = place(core, steps);
    kernels.softmax(source, source, 1, steps.length);
    const sum = steps.reduce((total, x) => total + Math.exp(x), 0);
    const expected = Float64Array.from(steps, (x) => (x < -87 ? 0 : Math.exp(x) / sum));
    assertNear(core.f32(source, steps.length), expected, (i) => 2.5e-7 * expected[i]! + 2e-45);
  });

  test("softmax: rows apart, large scores, equal ones, -infinity, NaN", () => {
    const rows = [
      [1, 2, 3],
      [1e30, 1e30, -1e30],
      [-3e38, -3e38, -3e38],
      [Number.NEGATIVE_INFINITY, 0, 0],
      [0, Number.NaN, 1],
      [0, Infinity, 1],
      [5, 5, 5],
    ];
    const target = guarded(core, 21);
    kernels.softmax(place(core, Float32Array.from(rows.flat())), target.pointer, 7, 3);
    const result = [...core.f32(target.pointer, 21)];
    const row = (index: number) => result.slice(3 * index, 3 * index + 3);
    const e = [Math.exp(-2), Math.exp(-1), 1];
    const sum = e[0]! + e[1]! + 1;
    assertNear(
      row(0),
      e.map((x) => x / sum),
      () => 2e-7,
    );
    assert.equal(row(1), [0.5, 0.5, 0]);
    assert.equal(row(2), Array(3).fill(Math.fround(1 / 3)));
    assert.equal(row(3), [0, 0.5, 0.5]);
    assert.ok(row(4).every(Number.isNaN));
    assert.ok(row(5).every(Number.isNaN));
    assert.equal(row(6), Array(3).fill(Math.fround(1 / 3)));
    assert.ok(target.intact());
  });

  test("argMax: the first of the largest", () => {
    const cases: [number[], number][] = [
      [[3], 0],
      [[1, 5, 5, 2], 1],
      [[-0, 0, -0], 0],
      [[-Infinity, -Infinity, -5], 2],
      [[1, Infinity, Infinity], 1],
      [[-3, -2, -1], 2],
    ];
    for (const [values, expected] of cases) {
      assert.is(kernels.argMax(place(core, Float32Array.from(values)), values.length), expected, `${values}`);
    }
    for (let count = 1; count < 70; count++) {
      const values = draw(count);
      assert.is(kernels.argMax(place(core, values), count), values.indexOf(Math.max(...values)));
    }
  });

  const top = (values: Float32Array, keep: number) => {
    const count = values.length;
    const target = guarded(core, Math.min(keep, count));
    const [source, scratch] = [place(core, values), guarded(core, count)];
    kernels.topIndices(source, count, keep, target.pointer, scratch.pointer);
    assert.ok(target.intact() && scratch.intact());
    assert.equal(core.f32(source, count), values);
    return [...core.i32(target.pointer, Math.min(keep, count))];
  };
  /** Sorts by value, ties by index; takes the first `keep`, in the order of their indices. */
  const sorted = (values: Float32Array, keep: number) =>
    [...values.keys()]
      .sort((a, b) => (values[a]! < values[b]! ? 1 : values[a]! > values[b]! ? -1 : a - b))
      .slice(0, keep)
      .sort((a, b) => a - b);

  test("topIndices against a sort, few values meaning many ties", () => {
    for (let round = 0; round < 300; round++) {
      const count = 1 + whole(90);
      const kinds = 1 + whole(round % 3 === 0 ? 100 : 4);
      const values = Float32Array.from({ length: count }, () => (whole(kinds) - kinds / 2) * 0.37);
      const keep = 1 + whole(count);
      assert.equal(top(values, keep), sorted(values, keep), `${[...values]}, ${keep}`);
    }
  });

  test("topIndices: zeros of both signs are equal, infinities, subnormal numbers, all and more", () => {
    assert.equal(top(Float32Array.of(-0, 0, -0, 0), 2), [0, 1]);
    assert.equal(top(Float32Array.of(0, -0, 1e-45, -1e-45), 2), [0, 2]);
    assert.equal(top(Float32Array.of(-Infinity, 5, Infinity, -3e38, Infinity), 3), [1, 2, 4]);
    assert.equal(top(Float32Array.of(-Infinity, -Infinity, -Infinity), 2), [0, 1]);
    assert.equal(top(Float32Array.of(-1, -2, -3), 1), [0]);
    assert.equal(top(Float32Array.of(1, 2, 3), 3), [0, 1, 2]);
    assert.equal(top(Float32Array.of(1, 2, 3), 9), [0, 1, 2]);
  });

  test("allFinite sees NaN and both infinities wherever they stand", () => {
    const values = draw(64);
    values[3] = 3.4e38;
    values[4] = -3.4e38;
    const pointer = place(core, values);
    assert.is(kernels.allFinite(pointer, 64), 1);
    for (const broken of [Number.NaN, Infinity, -Infinity]) {
      for (let at = 0; at < 64; at++) {
        core.f32(pointer, 64)[at] = broken;
        assert.is(kernels.allFinite(pointer, 64), 0, `${broken} at ${at}`);
        core.f32(pointer, 64)[at] = 1;
      }
    }
    core.f32(pointer, 64)[60] = Number.NaN;
    assert.is(kernels.allFinite(pointer, 60), 1);
  });

  test.run();
}
