/** What tensors refuse: wrong shapes, types, indices, positions, and use after disposal. Nothing stays allocated. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createLoadCore, defaultCore } from "../../src/core/default-core.ts";
import { ArgumentError, DisposedError, MemoryError, ShapeError, UnsupportedError } from "../../src/errors.ts";
import { loadCore, loadModel, Tensor } from "../../src/runtimes/node.ts";

const test = suite("tensor misuse");

test("without a core at hand the message says what to await", async () => {
  // What the browser's entry sets; here the module's own state, before any tensor was made.
  assert.type(loadModel, "function");
  let asked = 0;
  const broken = createLoadCore({
    later: async () => {
      asked++;
      throw new UnsupportedError("offline");
    },
  });
  assert.throws(
    () => Tensor.zeros([1]),
    (error: unknown) => error instanceof UnsupportedError && /await loadCore/.test(error.message),
  );
  const outcomes = await Promise.allSettled([broken(), broken()]);
  assert.equal(
    outcomes.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.is(asked, 1);
  await loadCore();
  const core = defaultCore();
  await loadCore();
  assert.is(defaultCore(), core);
  Tensor.zeros([1]).dispose();
});

function detached(): Float32Array {
  const array = new Float32Array(4);
  structuredClone(array, { transfer: [array.buffer] });
  return array;
}

type Operands = { matrix: Tensor; cube: Tensor; vector: Tensor; scalar: Tensor; whole: Tensor; pairs: Tensor };
const faults: [string, typeof ArgumentError | typeof ShapeError, RegExp, (operands: Operands) => unknown][] = [
  ["too few values", ShapeError, /5 values .*\[2,3\].* 6 places/, () => Tensor.from([1, 2, 3, 4, 5], [2, 3])],
  ["a negative length", ShapeError, /\[-1,-6\]/, () => Tensor.from([1, 2, 3, 4, 5, 6], [-1, -6])],
  ["half a length", ShapeError, /whole numbers/, () => Tensor.zeros([1.5, 2])],
  ["a length that is NaN", ShapeError, /whole numbers/, () => Tensor.zeros([Number.NaN])],
  ["a type that is not there", ArgumentError, /"f16"/, () => Tensor.zeros([1], "f16" as "f32")],
  ["a view of another size", ShapeError, /\[2,3\].*\[4,2\]/, ({ matrix }) => matrix.reshape([4, 2])],
  ["matmul of unequal depths", ShapeError, /\[2,3\] and \[2,3\]/, ({ matrix }) => matrix.matmul(matrix)],
  ["matmul with a vector", ShapeError, /matmul/, ({ matrix, vector }) => matrix.matmul(vector)],
  ["matmul of a vector", ShapeError, /matmul/, ({ matrix, vector }) => vector.matmul(matrix)],
  ["matmul over unequal batches", ShapeError, /\[2,3\] and \[2,3,2\]/, ({ matrix, cube }) => matrix.matmul(cube)],
  ["matmul of integers", ShapeError, /f32, not of i32/, ({ matrix, whole }) => matrix.matmul(whole)],
  ["a negative index", ArgumentError, /Index -1 at place 1/, ({ matrix }) => matrix.gather([0, -1])],
  ["an index too high", ArgumentError, /Index 2 at place 0.*2 places/, ({ matrix }) => matrix.gather([2])],
  ["an index that is NaN", ArgumentError, /Index NaN/, ({ matrix }) => matrix.gather([Number.NaN])],
  ["half an index", ArgumentError, /Index 0.5/, ({ matrix }) => matrix.gather([0.5])],
  ["rows of a scalar", ShapeError, /scalar/, ({ scalar }) => scalar.gather([0])],
  ["too few positions", ShapeError, /\[2,3\].* not 1/, ({ matrix }) => matrix.rotaryEmbedding([1])],
  ["positions of a vector", ShapeError, /position/, ({ vector }) => vector.rotaryEmbedding([0, 1, 2])],
  [
    "a position that is NaN",
    ArgumentError,
    /Position NaN at place 1/,
    ({ matrix }) => matrix.rotaryEmbedding([0, Number.NaN]),
  ],
  ["an infinite position", ArgumentError, /Position Infinity/, ({ matrix }) => matrix.rerotate([0, 1], [Infinity, 1])],
  ["unequal position lists", ShapeError, /from 2 positions to 1/, ({ matrix }) => matrix.rerotate([0, 1], [1])],
  ["a head of odd size", ShapeError, /3 dimensions/, ({ matrix }) => matrix.rotaryEmbedding([0, 1])],
  [
    "more frequencies than pairs",
    ShapeError,
    /4 dimensions; a head has 3/,
    ({ matrix }) => matrix.rotaryEmbedding([0, 1], { inverseFrequencies: [1, 1] }),
  ],
  [
    "a frequency that is NaN",
    ArgumentError,
    /inverseFrequencies\[0\] is NaN/,
    ({ matrix }) => matrix.rotaryEmbedding([0, 1], { inverseFrequencies: [Number.NaN] }),
  ],
  ["a theta of 0", ArgumentError, /theta/, ({ matrix }) => matrix.rotaryEmbedding([0, 1], { theta: 0 })],
  [
    "an infinite factor",
    ArgumentError,
    /attentionFactor/,
    ({ matrix }) => matrix.rotaryEmbedding([0, 1], { attentionFactor: Infinity }),
  ],
  ["softmax of integers", ShapeError, /i32/, ({ whole }) => whole.softmax()],
  ["softmax of a scalar", ShapeError, /scalar/, ({ scalar }) => scalar.softmax()],
  ["a weight of another width", ShapeError, /weight of \[3\], not \[2,3\]/, ({ matrix }) => matrix.rmsNorm(matrix, 0)],
  ["a shape that is a string", ShapeError, /not "2"/, () => Tensor.zeros("2" as never)],
  ["no shape", ShapeError, /not null/, () => Tensor.from([], null as never)],
  ["a shape of symbols", ShapeError, /Symbol\(x\)/, () => Tensor.zeros([Symbol("x")] as never)],
  ["a shape of big integers", ShapeError, /whole numbers/, () => Tensor.zeros([2n] as never)],
  ["a shape of text", ShapeError, /"2"/, () => Tensor.zeros(["2"] as never)],
  ["a shape with a hole", ShapeError, /undefined/, () => Tensor.zeros(new Array(1))],
  ["more axes than 64", ShapeError, /not 65/, () => Tensor.zeros(Array(65).fill(1))],
  ["values that are text", ArgumentError, /not "123"/, () => Tensor.from("123" as never, [3])],
  ["no values", ArgumentError, /not null/, () => Tensor.from(null as never, [1])],
  ["a length that is none", ArgumentError, /not \{length: -1\}/, () => Tensor.from({ length: -1 }, [1])],
  [
    "values of big integers",
    ArgumentError,
    /numbers; 0n stands at place 0/,
    () => Tensor.from(new BigInt64Array(2) as never, [2]),
  ],
  [
    "bytes without a type",
    ArgumentError,
    /not a DataView/,
    () => Tensor.from(new DataView(new ArrayBuffer(8)) as never, [2]),
  ],
  ["text among the values", ArgumentError, /"2" stands at place 1/, () => Tensor.from([1, "2"] as never, [2])],
  ["a hole in the values", ArgumentError, /undefined stands at place 0/, () => Tensor.from(new Array(2), [2])],
  ["a detached array", ArgumentError, /detached/, () => Tensor.from(detached(), [0])],
  ["a tensor of another kind", ArgumentError, /takes a tensor, not \{\}/, ({ matrix }) => matrix.matmul({} as Tensor)],
  ["nothing to multiply with", ArgumentError, /not undefined/, ({ matrix }) => matrix.matmul(undefined as never)],
  ["nothing to add", ArgumentError, /not null/, ({ matrix }) => matrix.add(null as never)],
  ["no weight", ArgumentError, /not 3/, ({ matrix }) => matrix.rmsNorm(3 as never, 0)],
  [
    "what only looks like a tensor",
    ArgumentError,
    /takes a tensor, not/,
    ({ matrix }) => matrix.matmul(Object.create(Tensor.prototype) as Tensor),
  ],
  ["a tensor by its constructor", ArgumentError, /Tensor.from/, () => Reflect.construct(Tensor, [])],
  ["no indices", ArgumentError, /Indices should be a list/, ({ matrix }) => matrix.gather(null as never)],
  ["indices that are text", ArgumentError, /not "01"/, ({ matrix }) => matrix.gather("01" as never)],
  [
    "big integers as indices",
    ArgumentError,
    /numbers; 0n stands/,
    ({ matrix }) => matrix.gather(new BigInt64Array(1) as never),
  ],
  ["no end of indices", ArgumentError, /place 0/, ({ matrix }) => matrix.gather({ length: Number.MAX_SAFE_INTEGER })],
  ["no positions", ArgumentError, /Positions/, ({ matrix }) => matrix.rotaryEmbedding(undefined as never)],
  ["no options", ArgumentError, /not null/, ({ matrix }) => matrix.rotaryEmbedding([0, 1], null as never)],
  [
    "an option that is not there",
    ArgumentError,
    /no option base/,
    ({ matrix }) => matrix.rotaryEmbedding([0, 1], { base: 1 } as never),
  ],
  [
    "an attention factor where it is in the keys already",
    ArgumentError,
    /no option attentionFactor/,
    ({ matrix }) => matrix.rerotate([0, 1], [0, 1], { attentionFactor: 1 } as never),
  ],
  [
    "two kinds of frequencies",
    ArgumentError,
    /exclude/,
    ({ matrix }) => matrix.rotaryEmbedding([0, 1], { theta: 2, inverseFrequencies: [1] } as never),
  ],
  ["a theta that is text", ArgumentError, /"2"/, ({ pairs }) => pairs.rotaryEmbedding([0, 1], { theta: "2" as never })],
  ["a theta that is too small", ArgumentError, /f32/, ({ pairs }) => pairs.rotaryEmbedding([0, 1], { theta: 1e-300 })],
  [
    "frequencies that are text",
    ArgumentError,
    /inverseFrequencies/,
    ({ pairs }) => pairs.rotaryEmbedding([0, 1], { inverseFrequencies: "12" as never }),
  ],
  ["a distance that is infinite", ArgumentError, /angle/, ({ pairs }) => pairs.rerotate([-1e308, 0], [1e308, 0])],
  ["an epsilon that is text", ArgumentError, /"1"/, ({ matrix, vector }) => matrix.rmsNorm(vector, "1" as never)],
  ["an epsilon that is NaN", ArgumentError, /epsilon/, ({ matrix, vector }) => matrix.rmsNorm(vector, Number.NaN)],
];

for (const [name, kind, message, run] of faults) {
  test(name, () => {
    const operands: Operands = {
      matrix: Tensor.from([1, 2, 3, 4, 5, 6], [2, 3]),
      cube: Tensor.zeros([2, 3, 2]),
      vector: Tensor.zeros([3]),
      scalar: Tensor.zeros([]),
      whole: Tensor.zeros([3, 2], "i32"),
      pairs: Tensor.zeros([2, 4]),
    };
    const before = defaultCore().bytesInUse;
    assert.throws(
      () => run(operands),
      (error: unknown) => error instanceof kind && message.test(error.message),
    );
    assert.is(defaultCore().bytesInUse, before);
    for (const tensor of Object.values(operands)) tensor.dispose();
    assert.is(defaultCore().bytesInUse, 0);
  });
}

test("more than the memory can hold, whatever an axis of length 0 makes of it", () => {
  const [most, nothing] = [Number.MAX_SAFE_INTEGER, Tensor.zeros([0])];
  const books = defaultCore().bytesInUse;
  const shapes = [
    [2 ** 30],
    [2 ** 30 + 1],
    [2 ** 40, 2 ** 40],
    [most, 0],
    [...Array(21).fill(most), 0],
    [0, 2 ** 30, 2],
  ];
  for (const shape of shapes) {
    for (const make of [() => Tensor.zeros(shape), () => Tensor.from([], shape), () => nothing.reshape(shape)]) {
      if (shape.includes(0) || make.toString().includes("zeros")) {
        assert.throws(make, (error: unknown) => error instanceof MemoryError, `${shape}`);
      }
    }
  }
  assert.is(defaultCore().bytesInUse, books);
  nothing.dispose();
});

test("a result that is too large", () => {
  const [column, row] = [Tensor.zeros([2 ** 16, 1]), Tensor.zeros([1, 2 ** 16])];
  const books = defaultCore().bytesInUse;
  assert.throws(
    () => column.matmul(row),
    (error: unknown) => error instanceof MemoryError && /65536,65536/.test(error.message),
  );
  const wide = Tensor.zeros([1, 2 ** 20]);
  const many = new Int32Array(2 ** 11);
  assert.throws(
    () => wide.gather(many),
    (error: unknown) => error instanceof MemoryError,
  );
  wide.dispose();
  assert.is(defaultCore().bytesInUse, books);
  column.dispose();
  row.dispose();
});

test("every operation refuses a disposed tensor, as operand too", () => {
  const gone = Tensor.zeros([2, 2]);
  gone.dispose();
  const here = Tensor.zeros([2, 2]);
  const uses: (() => unknown)[] = [
    () => gone.toArray(),
    () => gone.reshape([4]),
    () => gone.matmul(here),
    () => here.matmul(gone),
    () => gone.gather([0]),
    () => here.gather(gone),
    () => gone.rotaryEmbedding([0, 1]),
    () => here.rotaryEmbedding(gone),
    () => gone.rerotate([0, 1], [1, 2]),
    () => gone.add(here),
    () => here.add(gone),
    () => gone.softmax(),
    () => gone.rmsNorm(here, 0),
    () => here.rmsNorm(gone, 0),
  ];
  for (const use of uses) {
    assert.throws(use, (error: unknown) => error instanceof DisposedError && /\[2,2\]/.test(error.message));
  }
  here.dispose();
  assert.is(defaultCore().bytesInUse, 0);
});

test.run();
