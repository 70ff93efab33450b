/** What tensors refuse: wrong shapes, types, indices, positions, and use after disposal. Nothing stays allocated. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createLoadCore, defaultCore } from "../../src/core/default-core.ts";
import { ArgumentError, DisposedError, MemoryError, RuntimeError, ShapeError } from "../../src/errors.ts";
import { loadCore, loadModel, Tensor } from "../../src/node.ts";

const test = suite("tensor misuse");

test("without a core at hand the message says what to await", async () => {
  // What the browser's entry sets; here the module's own state, before any tensor was made.
  assert.type(loadModel, "function");
  let asked = 0;
  const broken = createLoadCore({
    later: async () => {
      asked++;
      throw new RuntimeError("offline");
    },
  });
  assert.throws(
    () => Tensor.zeros([1]),
    (error: unknown) => error instanceof RuntimeError && /await loadCore/.test(error.message),
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

type Operands = { matrix: Tensor; cube: Tensor; vector: Tensor; scalar: Tensor; whole: Tensor };
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
  ["an index too high", ArgumentError, /Index 2 at place 0.*2 rows/, ({ matrix }) => matrix.gather([2])],
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
  ["sums of unequal shapes", ShapeError, /\[2,3\] and \[3\]/, ({ matrix, vector }) => matrix.add(vector)],
  ["sums of integers", ShapeError, /i32/, ({ whole }) => whole.add(whole)],
  ["softmax of a scalar", ShapeError, /scalar/, ({ scalar }) => scalar.softmax()],
  ["a weight of another width", ShapeError, /weight of \[3\], not \[2,3\]/, ({ matrix }) => matrix.rmsNorm(matrix, 0)],
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

test("more than the memory can hold", () => {
  assert.throws(
    () => Tensor.zeros([2 ** 30 + 1]),
    (error: unknown) => error instanceof MemoryError,
  );
  assert.throws(
    () => Tensor.zeros([2 ** 40, 2 ** 40]),
    (error: unknown) => error instanceof MemoryError,
  );
  assert.is(defaultCore().bytesInUse, 0);
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
