/** The tensor's operations against plain arithmetic, and its memory's books. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultCore } from "../../src/core/default-core.ts";
import { loadCore, Tensor } from "../../src/runtimes/node.ts";
import { assertNear, ROUNDING } from "../support/assertions.ts";
import { integers, normals } from "../support/random.ts";

const test = suite("tensor");
const draw = normals(1);
/** Everything a test makes, disposed after it. */
const made: Tensor[] = [];
const keep = (tensor: Tensor) => {
  made.push(tensor);
  return tensor;
};
const tensorOf = (values: ArrayLike<number>, shape: readonly number[]) => keep(Tensor.from(values, shape));
const random = (...shape: number[]) => tensorOf(draw(shape.reduce((a, b) => a * b, 1)), shape);

test.before(() => loadCore());
test.after.each(() => {
  for (const tensor of made.splice(0)) tensor.dispose();
  assert.is(defaultCore().bytesInUse, 0);
});

test("from, zeros: shapes, types, copies", () => {
  const values = new Float32Array([1, 2, 3, 4, 5, 6]);
  const tensor = tensorOf(values, [2, 3]);
  values[0] = 9;
  assert.equal(tensor.shape, [2, 3]);
  assert.is(tensor.type, "f32");
  assert.is(tensor.byteLength, 24);
  const copy = tensor.toArray();
  assert.equal(copy, new Float32Array([1, 2, 3, 4, 5, 6]));
  copy[1] = 9;
  assert.is(tensor.toArray()[1], 2);
  assert.equal(tensorOf(new Int32Array([-1, 2 ** 31 - 1]), [2]).toArray(), new Int32Array([-1, 2 ** 31 - 1]));
  assert.equal(tensorOf([0.1], []).toArray(), new Float32Array([0.1]));
  assert.equal(tensorOf([], [0, 5]).toArray(), new Float32Array(0));
  const ones = Tensor.from(new Float32Array(64).fill(1), [64]);
  ones.dispose();
  assert.equal(keep(Tensor.zeros([64])).toArray(), new Float32Array(64));
  assert.equal(keep(Tensor.zeros([2], "i32")).toArray(), new Int32Array(2));
});

test("views share memory until the last of them goes", () => {
  const tensor = Tensor.from([1, 2, 3, 4, 5, 6], [2, 3]);
  const bytes = defaultCore().bytesInUse;
  const view = tensor.reshape([3, 2]);
  const flat = view.reshape([6]);
  assert.is(defaultCore().bytesInUse, bytes);
  assert.equal(view.shape, [3, 2]);
  tensor.dispose();
  tensor.dispose();
  view.dispose();
  assert.is(defaultCore().bytesInUse, bytes);
  assert.equal(flat.toArray(), new Float32Array([1, 2, 3, 4, 5, 6]));
  flat.dispose();
  assert.is(defaultCore().bytesInUse, 0);
});

function product(
  a: ArrayLike<number>,
  b: ArrayLike<number>,
  [rows, depth, columns]: readonly [number, number, number],
) {
  const values = new Float64Array(rows * columns);
  const magnitudes = new Float64Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      for (let k = 0; k < depth; k++) {
        const term = a[row * depth + k]! * b[k * columns + column]!;
        values[row * columns + column]! += term;
        magnitudes[row * columns + column]! += Math.abs(term);
      }
    }
  }
  return { values, tolerance: (index: number) => depth * ROUNDING * magnitudes[index]! };
}

test("matmul of every small size, and across the kernel's blocks", () => {
  const whole = integers(2);
  const sizes = Array.from({ length: 60 }, () => [1 + whole(10), 1 + whole(18), 1 + whole(18)] as const);
  for (const size of [...sizes, [5, 769, 9] as const, [1, 1, 1] as const, [3, 0, 2] as const]) {
    const [m, k, n] = size;
    const [a, b] = [random(m, k), random(k, n)];
    const result = keep(a.matmul(b));
    assert.equal(result.shape, [m, n]);
    const { values, tolerance } = product(a.toArray(), b.toArray(), size);
    assertNear(result.toArray(), values, tolerance, `${m} x ${k} x ${n}`);
  }
});

test("matmul over leading axes, with one right side or many", () => {
  const [a, shared, many] = [random(2, 3, 5, 7), random(7, 9), random(2, 3, 7, 9)];
  const [one, each] = [keep(a.matmul(shared)), keep(a.matmul(many))];
  assert.equal(one.shape, [2, 3, 5, 9]);
  assert.equal(each.shape, [2, 3, 5, 9]);
  const { values, tolerance } = product(a.toArray(), shared.toArray(), [30, 7, 9]);
  assertNear(one.toArray(), values, tolerance);
  for (let batch = 0; batch < 6; batch++) {
    const part = (tensor: Tensor, length: number) => tensor.toArray().slice(batch * length, (batch + 1) * length);
    const expected = product(part(a, 35), part(many, 63), [5, 7, 9]);
    assertNear(part(each, 45), expected.values, expected.tolerance, `batch ${batch}`);
  }
});

test("gather takes rows of any width and type, more than once", () => {
  const tensor = random(4, 3);
  const values = [...tensor.toArray()];
  const rows = (...indices: number[]) => new Float32Array(indices.flatMap((i) => values.slice(3 * i, 3 * i + 3)));
  const gathered = keep(tensor.gather([3, 0, 3]));
  assert.equal(gathered.shape, [3, 3]);
  assert.equal(gathered.toArray(), rows(3, 0, 3));
  assert.equal(keep(tensor.gather(tensorOf(new Int32Array([2, 1]), [2]))).toArray(), rows(2, 1));
  assert.equal(keep(tensor.gather([])).shape, [0, 3]);
  const whole = tensorOf(new Int32Array([7, 8, 9]), [3]);
  assert.equal(keep(whole.gather([2, 2])).toArray(), new Int32Array([9, 9]));
});

/** One row turned in f64; frequencies in f32 as they are held. */
function turned(row: ArrayLike<number>, position: number, frequencies: ArrayLike<number>): Float64Array {
  const result = Float64Array.from(row);
  for (let i = 0; i < frequencies.length; i++) {
    const [angle, high] = [position * frequencies[i]!, i + frequencies.length];
    result[i] = row[i]! * Math.cos(angle) - row[high]! * Math.sin(angle);
    result[high] = row[high]! * Math.cos(angle) + row[i]! * Math.sin(angle);
  }
  return result;
}

const defaultFrequencies = (theta: number, size: number) =>
  Float32Array.from({ length: size / 2 }, (_, i) => theta ** ((-2 * i) / size));

test("rotaryEmbedding turns rows of any size, leading axes sharing the positions", () => {
  const positions = [0, 1, 17, 4095, 2.5];
  for (const size of [2, 6, 8, 10, 64]) {
    const tensor = random(3, positions.length, size);
    const result = keep(tensor.rotaryEmbedding(positions, { theta: 500 })).toArray();
    const source = tensor.toArray();
    const frequencies = defaultFrequencies(500, size);
    for (let row = 0; row < 3 * positions.length; row++) {
      const position = positions[row % positions.length]!;
      const expected = turned(source.subarray(row * size, (row + 1) * size), position, frequencies);
      // The last place of a frequency may differ, and the position multiplies it.
      const allowed = 4 * (6 + position) * ROUNDING * 6;
      assertNear(result.subarray(row * size, (row + 1) * size), expected, () => allowed, `head of ${size}, row ${row}`);
    }
  }
});

test("given frequencies turn a part of a head; a factor scales that part alone", () => {
  const tensor = random(2, 7);
  const inverseFrequencies = [0.5, 0.0625];
  const result = keep(tensor.rotaryEmbedding([3, 100_000], { inverseFrequencies, attentionFactor: 1.25 })).toArray();
  for (const [row, position] of [3, 100_000].entries()) {
    const source = tensor.toArray().subarray(row * 7, row * 7 + 7);
    const expected = turned(source, position, inverseFrequencies).map((value, i) => (i < 4 ? value * 1.25 : value));
    assertNear(result.subarray(row * 7, row * 7 + 7), expected, () => 4 * ROUNDING * 8);
    assert.equal(result.slice(row * 7 + 4, row * 7 + 7), source.slice(4));
  }
});

test("rerotate to a position is rotation to it, the factor not applied again", () => {
  const tensor = random(2, 6, 12);
  const [from, to] = [
    [5, 90, 700, 701, 4000, 100_000],
    [0, 1, 2, 3, 4, 5],
  ];
  const options = { inverseFrequencies: [1, 0.25, 0.125, 0.01, 0.001] };
  const old = keep(tensor.rotaryEmbedding(from, { ...options, attentionFactor: 1.5 }));
  const expected = keep(tensor.rotaryEmbedding(to, { ...options, attentionFactor: 1.5 })).toArray();
  assertNear(keep(old.rerotate(from, to, options)).toArray(), expected, () => 8 * ROUNDING * 8);
  assert.equal(keep(old.rerotate(to, to, options)).toArray(), old.toArray());
  // And there and back again.
  const there = keep(old.rerotate(from, to, options));
  assertNear(keep(there.rerotate(to, from, options)).toArray(), old.toArray(), () => 12 * ROUNDING * 8);
});

test("add, softmax, rmsNorm on widths that do not fill a vector", () => {
  for (const width of [1, 2, 3, 4, 5, 7, 8, 33]) {
    const [a, b] = [random(3, width), random(3, width)];
    const sum = keep(a.add(b)).toArray();
    assert.equal(
      sum,
      a.toArray().map((value, i) => value + b.toArray()[i]!),
    );
    const softmax = keep(a.softmax()).toArray();
    const weight = random(width);
    const norm = keep(a.rmsNorm(weight, 1e-5)).toArray();
    for (let row = 0; row < 3; row++) {
      const source = [...a.toArray().subarray(row * width, (row + 1) * width)];
      const total = source.reduce((s, x) => s + Math.exp(x), 0);
      const range = (values: ArrayLike<number>) => Array.from(values).slice(row * width, (row + 1) * width);
      assertNear(
        range(softmax),
        source.map((x) => Math.exp(x) / total),
        (i) => (2e-7 * Math.exp(source[i]!)) / total + 2e-7 * (softmax[row * width + i]! as number),
      );
      const scale = 1 / Math.sqrt(source.reduce((s, x) => s + x * x, 0) / width + 1e-5);
      const expected = source.map((x, i) => x * scale * weight.toArray()[i]!);
      assertNear(range(norm), expected, (i) => (width + 8) * ROUNDING * Math.abs(expected[i]!));
    }
  }
});

test.run();
