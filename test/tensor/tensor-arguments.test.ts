/** Arguments of every kind, by chance from a seed and by malice: a right result or a typed error, and the books to the byte. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultCore } from "../../src/core/default-core.ts";
import { SiskinError } from "../../src/errors.ts";
import { loadCore, Tensor } from "../../src/runtimes/node.ts";
import { assertNear } from "../support/assertions.ts";
import { integers } from "../support/random.ts";

const test = suite("tensor arguments");
test.before(() => loadCore());

/** Bytes that a tensor of so many elements holds. */
const bytesOf = (elements: number) => Math.max(64, Math.ceil(elements / 16) * 64);

test("nothing to compute costs nothing", () => {
  const started = performance.now();
  const most = 2 ** 28;
  const [tall, none, flat] = [Tensor.zeros([most, 0]), Tensor.zeros([0, 0]), Tensor.zeros([0, most])];
  const made = [
    tall.matmul(none),
    none.matmul(flat),
    tall.softmax(),
    tall.add(tall),
    tall.rmsNorm(Tensor.zeros([0]), 1),
    tall.reshape([0, most]),
    Tensor.zeros([most, 0, 4]).rotaryEmbedding([]),
    Tensor.zeros([most, 1, 0]).rotaryEmbedding([3]),
    Tensor.zeros([most, 0, 2]).matmul(Tensor.zeros([most, 2, 0])),
    flat.gather([]),
  ];
  assert.ok(made.every(({ byteLength }) => byteLength === 0));
  assert.ok(made.every((tensor) => tensor.toArray().length === 0));
  assert.equal(made[0]!.shape, [most, 0]);
  assert.ok(performance.now() - started < 2000);
});

test("a product over a depth of 0 is zero, over many batches too", () => {
  const dirt = Tensor.from(new Float32Array(3_000_000).fill(7), [3_000_000]);
  dirt.dispose();
  const result = Tensor.zeros([1_000_000, 1, 0]).matmul(Tensor.zeros([1_000_000, 0, 3]));
  assert.equal(result.shape, [1_000_000, 1, 3]);
  assert.ok(result.toArray().every((value) => value === 0));
  result.dispose();
});

test("lists whose elements make tensors, or dispose of them, while they are read", () => {
  const extra: Tensor[] = [];
  const growing = {
    length: 3,
    get 0() {
      extra.push(Tensor.from(new Float32Array(2_000_000).fill(9), [2_000_000]));
      return 1;
    },
    1: 2,
    2: 3,
  };
  const tensor = Tensor.from(growing, [3]);
  assert.equal([...tensor.toArray()], [1, 2, 3]);
  const table = Tensor.from([10, 20, 30, 40], [4]);
  const rows = table.gather(growing);
  assert.equal([...rows.toArray()], [20, 30, 40]);

  const victim = Tensor.from([1, 2], [1, 2]);
  const disposing = {
    length: 1,
    get 0() {
      victim.dispose();
      return 0;
    },
  };
  assert.throws(() => victim.gather(disposing), /disposed/);
  const another = Tensor.from([1, 2], [1, 2]);
  const options = {
    get theta() {
      another.dispose();
      return 10;
    },
  };
  assert.throws(() => another.rotaryEmbedding([0], options), /disposed/);
  const books = defaultCore().bytesInUse;
  for (const made of [tensor, table, rows, ...extra]) made.dispose();
  assert.is(books - defaultCore().bytesInUse, 3 * 64 + 2 * bytesOf(2_000_000));
});

test("a list whose element throws leaves nothing behind", () => {
  const books = defaultCore().bytesInUse;
  const failing = {
    length: 1,
    get 0(): number {
      throw new Error("no");
    },
  };
  const tensor = Tensor.from([1], [1]);
  for (const use of [
    () => Tensor.from(failing, [1]),
    () => tensor.gather(failing),
    () => Tensor.zeros(failing as never),
  ]) {
    assert.throws(use);
  }
  tensor.dispose();
  assert.is(defaultCore().bytesInUse, books);
});

test("a tensor's shape and type cannot be set", () => {
  const tensor = Tensor.from([1, 2], [2]);
  assert.throws(() => Object.assign(tensor, { shape: [1_000_000] }), TypeError);
  assert.throws(() => Object.assign(tensor.shape, { 0: 1_000_000 }), TypeError);
  assert.throws(() => Object.assign(tensor, { type: "i32" }), TypeError);
  assert.equal([...tensor.toArray()], [1, 2]);
  tensor.dispose();
});

test("thousands of calls with arguments by chance", () => {
  const draw = integers(11);
  const one = <T>(list: readonly T[]): T => list[draw(list.length)]!;
  const books = defaultCore().bytesInUse;
  const kept = Tensor.from([1, 2, 3, 4], [2, 2]);
  const odd: readonly unknown[] = [
    ...[undefined, null, true, Number.NaN, -1, 0.5, Infinity, -0, 2 ** 31, 2 ** 32, 2 ** 53, 1e308, "", "12", "[2,2]"],
    ...[1n, 2n ** 70n, Symbol("s"), {}, [], [[]], [null], ["1"], [1n], [Number.NaN], [2 ** 40, 2 ** 40, 0], new Map()],
    ...[{ length: 2 }, { length: 2 ** 60 }, { length: "2" }, new DataView(new ArrayBuffer(4)), new BigInt64Array(2)],
    ...[() => 2, new Date(0), /x/, new ArrayBuffer(8), new Proxy([], {}), Object.create(null), new String("12")],
  ];
  const shape = () => Array.from({ length: draw(5) }, () => one([0, 1, 2, 2, 3, 4, 7]));
  const numbers = () =>
    one([(n: number) => new Float32Array(n), (n: number) => Array(n).fill(1), (n: number) => new Int32Array(n)])(
      draw(9),
    );
  const argument = (sensible: () => unknown) => (draw(3) === 0 ? one(odd) : sensible());
  let [right, refused] = [0, 0];
  for (let step = 0; step < 20_000; step++) {
    const live: Tensor[] = [];
    const tensor = () => {
      const lengths = shape();
      const elements = lengths.reduce((a, b) => a * b, 1);
      const made =
        draw(9) === 0 ? Tensor.zeros(lengths, "i32") : Tensor.from(new Float32Array(elements).fill(0.5), lengths);
      live.push(made);
      if (draw(20) === 0) made.dispose();
      return made;
    };
    const options = () => ({
      [one(["theta", "inverseFrequencies", "attentionFactor", "other"])]: argument(() => one([1, 100, [0.5]])),
    });
    // biome-ignore lint/suspicious/noExplicitAny: what types would forbid is what is tried
    const left = tensor() as any;
    const calls: Record<string, () => unknown> = {
      from: () => Tensor.from(argument(numbers) as never, argument(shape) as never),
      zeros: () => Tensor.zeros(argument(shape) as never, argument(() => one(["f32", "i32"])) as never),
      reshape: () => left.reshape(argument(shape)),
      matmul: () => left.matmul(argument(tensor)),
      add: () => left.add(argument(() => one([left, tensor()]))),
      gather: () => left.gather(argument(() => one([numbers(), tensor()]))),
      rotaryEmbedding: () => left.rotaryEmbedding(argument(numbers), argument(options)),
      rerotate: () => left.rerotate(argument(numbers), argument(numbers), argument(options)),
      softmax: () => left.softmax(),
      rmsNorm: () =>
        left.rmsNorm(
          argument(tensor),
          argument(() => 1e-5),
        ),
      toArray: () => left.toArray(),
    };
    const name = one(Object.keys(calls));
    try {
      const result = calls[name]!();
      if (result instanceof Tensor) {
        const elements = result.shape.reduce((a, b) => a * b, 1);
        assert.is(result.toArray().length, elements);
        live.push(result);
      }
      right++;
    } catch (error) {
      const typed = error instanceof SiskinError && error.message.length > 10 && error.message.length < 2000;
      assert.ok(typed, `step ${step}, ${name}: ${error}`);
      refused++;
    }
    for (const each of live) each.dispose();
    assert.is(defaultCore().bytesInUse, books + 64, `step ${step}, ${name}`);
  }
  assert.ok(right > 2000 && refused > 2000, `${right} right, ${refused} refused`);
  const product = kept.matmul(kept);
  assertNear(product.toArray(), [7, 10, 15, 22], () => 0);
  product.dispose();
  kept.dispose();
  assert.is(defaultCore().bytesInUse, books);
});

test.run();
