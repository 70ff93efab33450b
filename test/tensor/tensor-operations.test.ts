/** Every operation between, along and across axes against a plain twin that reads elements by their places, over shapes from a seed. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { defaultCore } from "../../src/core/default-core.ts";
import { ArgumentError, MemoryError, ShapeError } from "../../src/errors.ts";
import { loadCore, scope, Tensor } from "../../src/runtimes/node.ts";
import { Dice } from "../support/random.ts";

const test = suite("tensor operations");
test.before(() => loadCore());
/** What a test leaves behind is freed, and nothing else is held. */
test.before.each((context) => {
  context.bytes = defaultCore().bytesInUse;
});

/** A tensor as a twin sees it. */
interface Plain {
  shape: number[];
  type: "f32" | "i32";
  at: (places: readonly number[]) => number;
}

const elementsOf = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);

/** All places of a shape, in row-major order. */
function placesOf(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>(
    (places, length) => places.flatMap((place) => Array.from({ length }, (_, index) => [...place, index])),
    [[]],
  );
}

function plain(tensor: Tensor): Plain {
  const values = tensor.toArray();
  const { shape, type } = tensor;
  const at = (places: readonly number[]) => values[places.reduce((sum, place, axis) => sum * shape[axis]! + place, 0)]!;
  return { shape: [...shape], type, at };
}

function same(
  actual: Tensor,
  shape: readonly number[],
  type: string,
  at: (places: readonly number[]) => number,
  what: string,
) {
  assert.equal([...actual.shape], [...shape], what);
  assert.is(actual.type, type, what);
  const rounded = type === "i32" ? (value: number) => value | 0 : Math.fround;
  const expected = placesOf(shape).map((places) => rounded(at(places)));
  assert.equal([...actual.toArray()], expected, what);
}

function drawn(dice: Dice, shape: readonly number[], type: "f32" | "i32" = dice.pick(["f32", "i32"])): Tensor {
  const values = Array.from({ length: elementsOf(shape) }, () =>
    type === "i32" ? dice.whole(-2_000_000_000, 2_000_000_000) : Math.fround(dice.next() * 8 - 4),
  );
  return Tensor.from(type === "i32" ? Int32Array.from(values) : Float32Array.from(values), shape);
}

const shapeOf = (dice: Dice, axes = dice.whole(0, 4)) => Array.from({ length: axes }, () => dice.pick([1, 1, 2, 3, 5]));

const operators = {
  add: (a: number, b: number) => a + b,
  subtract: (a: number, b: number) => a - b,
  multiply: (a: number, b: number) => a * b,
  divide: (a: number, b: number) => a / b,
};

for (const [name, operate] of Object.entries(operators) as [
  keyof typeof operators,
  (a: number, b: number) => number,
][]) {
  test(`${name}, broadcast`, () => {
    const dice = new Dice(1);
    for (let round = 0; round < 100; round++) {
      const shape = shapeOf(dice);
      // Either operand lacks some of the first axes, and repeats others.
      const part = () => shape.map((length) => (dice.chance(0.4) ? 1 : length)).slice(dice.whole(0, shape.length));
      scope(() => {
        const [a, b] = [drawn(dice, dice.chance(0.5) ? shape : part()), drawn(dice, dice.chance(0.5) ? shape : part())];
        const [left, right] = [plain(a), plain(b)];
        const axes = Math.max(a.shape.length, b.shape.length);
        const wide = Array.from({ length: axes }, (_, axis) =>
          Math.max(...[a, b].map((one) => one.shape[axis - axes + one.shape.length] ?? 1)),
        );
        const seen =
          ({ shape: own, at }: Plain) =>
          (places: readonly number[]) =>
            at(own.map((length, axis) => (length === 1 ? 0 : places[axis + axes - own.length]!)));
        const type = name !== "divide" && a.type === "i32" && b.type === "i32" ? "i32" : "f32";
        const exact = type === "i32" && name === "multiply" ? Math.imul : operate;
        same(
          a[name](b),
          wide,
          type,
          (places) => exact(seen(left)(places), seen(right)(places)),
          `[${a.shape}] [${b.shape}]`,
        );
        const number = dice.pick([3, -7, 0.5, 2 ** 31]);
        const isWhole = a.type === "i32" && Number.isInteger(number) && number < 2 ** 31;
        same(
          a[name](number),
          a.shape,
          isWhole && name !== "divide" ? "i32" : "f32",
          (places) => (isWhole && name === "multiply" ? Math.imul : operate)(left.at(places), number),
          `${a.type} and ${number}`,
        );
      });
    }
  });
}

test("lengths that do not go together", () => {
  const message = /^add of \[2,3\] and \[2\]: lengths 3 and 2 do not go together$/;
  scope(() => {
    assert.throws(
      () => Tensor.zeros([2, 3]).add(Tensor.zeros([2])),
      (error: Error) => error instanceof ShapeError && message.test(error.message),
    );
    assert.throws(() => Tensor.zeros([2]).multiply("2" as never), /multiply takes a tensor, not "2"/);
  });
});

test("transpose, slice, gather and concat", () => {
  const dice = new Dice(2);
  for (let round = 0; round < 200; round++) {
    scope(() => {
      const tensor = drawn(dice, shapeOf(dice));
      const { shape, type, at } = plain(tensor);
      const order = dice.shuffled(shape.map((_, axis) => axis));
      same(
        tensor.transpose(dice.chance(0.5) ? order : order.map((axis) => axis - shape.length)),
        order.map((axis) => shape[axis]!),
        type,
        (places) => at(shape.map((_, axis) => places[order.indexOf(axis)]!)),
        `transpose [${shape}] by ${order}`,
      );
      same(tensor.transpose(), [...shape].reverse(), type, (places) => at([...places].reverse()), "transpose");
      const ranges = shape.map(() =>
        dice.pick([null, [dice.whole(-6, 6)], [dice.whole(-6, 6), dice.whole(-6, 6)]] as const),
      );
      // Array.slice says which places a range stands for.
      const chosen = ranges.map((range, axis) => {
        const all = Array.from({ length: shape[axis]! }, (_, place) => place);
        return range ? all.slice(...range) : all;
      });
      same(
        tensor.slice(...ranges),
        chosen.map((places) => places.length),
        type,
        (places) => at(places.map((place, axis) => chosen[axis]![place]!)),
        `slice [${shape}] by ${JSON.stringify(ranges)}`,
      );
      if (shape.length === 0) return;
      const axis = dice.whole(0, shape.length - 1);
      const indices = Array.from({ length: dice.whole(0, 6) }, () => dice.whole(0, shape[axis]! - 1));
      same(
        tensor.gather(indices, dice.pick([axis, axis - shape.length])),
        shape.with(axis, indices.length),
        type,
        (places) => at(places.with(axis, indices[places[axis]!]!)),
        `gather [${shape}] along ${axis}`,
      );
      const others = Array.from({ length: dice.whole(0, 2) }, () =>
        drawn(dice, shape.with(axis, dice.whole(0, 3)), type),
      );
      const parts = [{ shape, at }, ...others.map(plain)];
      const borders = parts.flatMap((part, index) =>
        Array.from({ length: part.shape[axis]! }, (_, place) => [index, place] as const),
      );
      same(
        Tensor.concat([tensor, ...others], axis),
        shape.with(axis, borders.length),
        type,
        (places) => {
          const [part, place] = borders[places[axis]!]!;
          return parts[part]!.at(places.with(axis, place));
        },
        `concat along ${axis}`,
      );
    });
  }
});

test("sum, mean and max along an axis and of all", () => {
  const dice = new Dice(3);
  for (let round = 0; round < 100; round++) {
    scope(() => {
      const tensor = drawn(dice, shapeOf(dice, dice.whole(1, 4)));
      const { shape, type, at } = plain(tensor);
      const axis = dice.whole(0, shape.length - 1);
      const line = (places: readonly number[]) =>
        Array.from({ length: shape[axis]! }, (_, place) => at(places.toSpliced(axis, 0, place)));
      const rest = shape.toSpliced(axis, 1);
      const total = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0);
      same(tensor.sum(axis), rest, type, (places) => total(line(places)), `sum of [${shape}] along ${axis}`);
      same(tensor.mean(axis - shape.length), rest, "f32", (places) => total(line(places)) / shape[axis]!, "mean");
      same(tensor.max(axis), rest, type, (places) => Math.max(...line(places)), "max");
      const all = placesOf(shape).map(at);
      same(tensor.sum(), [], type, () => total(all), "sum of all");
      same(tensor.mean(), [], "f32", () => total(all) / all.length, "mean of all");
      same(tensor.max(), [], type, () => Math.max(...all), "max of all");
    });
  }
});

test("reductions of nothing, and of NaN", () => {
  scope(() => {
    const none = Tensor.zeros([2, 0]);
    assert.equal([...none.sum(1).toArray()], [0, 0]);
    assert.equal([...none.mean(1).toArray()], [Number.NaN, Number.NaN]);
    assert.equal(none.max(0).shape, [0]);
    assert.throws(
      () => none.max(1),
      (error: unknown) => error instanceof ShapeError,
    );
    assert.ok(Number.isNaN(Tensor.from([1, Number.NaN, 3]).max().toArray()[0]));
    assert.ok(Number.isNaN(Tensor.from([Number.NaN, 1]).max().toArray()[0]));
    assert.is(Tensor.from([Number.NEGATIVE_INFINITY], [1]).max().toArray()[0], Number.NEGATIVE_INFINITY);
  });
});

test("wrong axes, orders, ranges and lists are refused by name", () => {
  scope(() => {
    const tensor = Tensor.zeros([2, 3]);
    const wrong: [() => unknown, typeof ArgumentError | typeof ShapeError, RegExp][] = [
      [() => tensor.sum(2), ArgumentError, /sum: the axis should be a whole number from -2 to 1 and is 2/],
      [() => tensor.mean(0.5), ArgumentError, /mean: the axis .* is 0.5/],
      [() => tensor.gather([0], -3), ArgumentError, /gather: the axis .* is -3/],
      [() => tensor.gather([3], 1), ArgumentError, /Index 3 at place 0 is not one of the 3 places/],
      [() => tensor.transpose([0, 0]), ArgumentError, /transpose takes each of 2 axes once, not \[0, 0\]/],
      [() => tensor.transpose(5 as never), ArgumentError, /not 5/],
      [
        () => tensor.slice([0.5]),
        ArgumentError,
        /slice takes \[from, end\] of whole numbers for axis 0, or null, not \[0.5\]/,
      ],
      [() => tensor.slice(null, null, null), ShapeError, /a range for each axis at most, not 3/],
      [() => Tensor.concat([]), ArgumentError, /concat takes a list of tensors, not \[\]/],
      [() => Tensor.concat([tensor, 5 as never]), ArgumentError, /concat takes a tensor, not 5/],
      [() => Tensor.concat([tensor, Tensor.zeros([3, 3])], 1), ShapeError, /not \[2,3\] and \[3,3\]/],
      [() => Tensor.concat([tensor, Tensor.zeros([2, 3], "i32")]), ShapeError, /not f32 and i32/],
      [
        () => Tensor.from([[1, 2], [3]]),
        ShapeError,
        /Values\[1\] should be a list of 2, as the first is, and are \[3\]/,
      ],
      [
        () => Tensor.from([[1], [[2]]] as never),
        ArgumentError,
        /Values\[1\] should be numbers; \[2\] stands at place 0/,
      ],
      [() => Tensor.from([[1], 2] as never), ShapeError, /Values\[1\] should be a list of 1.* and are 2/],
    ];
    for (const [run, kind, message] of wrong) {
      assert.throws(run, (error: Error) => error instanceof kind && message.test(error.message), String(message));
    }
  });
});

test("lists of lists say their shape", () => {
  scope(() => {
    const tensor = Tensor.from([
      [
        [1, 2],
        [3, 4],
      ],
      [
        [5, 6],
        [7, 8],
      ],
    ]);
    assert.equal(tensor.shape, [2, 2, 2]);
    assert.equal([...tensor.toArray()], [1, 2, 3, 4, 5, 6, 7, 8]);
    assert.equal(Tensor.from([1, 2, 3]).shape, [3]);
    assert.equal(Tensor.from(Int32Array.of(4)).type, "i32");
    assert.equal(Tensor.from([[], []]).shape, [2, 0]);
  });
});

test("a scope frees what was made in it but for what it gives back", ({ bytes }) => {
  const core = defaultCore();
  const { sum, list } = scope(() => {
    const a = Tensor.from([1, 2, 3, 4], [4]);
    const view = a.reshape([2, 2]);
    const inner = scope(() => view.add(a.reshape([2, 2])).multiply(2));
    return { sum: inner.sum(), list: [view] };
  });
  assert.is(sum.toArray()[0], 40);
  assert.equal([...list[0]!.toArray()], [1, 2, 3, 4]);
  assert.is(core.bytesInUse, bytes + 128);
  sum.dispose();
  list[0]!.dispose();
  assert.throws(() => scope(() => Tensor.zeros([5]).add(Tensor.zeros([4]))), /do not go together/);
  assert.throws(
    () => scope(async () => Tensor.zeros([5])),
    (error: unknown) => error instanceof ArgumentError,
  );
  assert.throws(
    () => scope(5 as never),
    (error: unknown) => error instanceof ArgumentError,
  );
  assert.is(core.bytesInUse, bytes);
});

test("a full memory says how many tensors are alive", () => {
  scope(() => {
    const held = Tensor.zeros([1000]);
    const full = () => Array.from({ length: 5 }, () => Tensor.zeros([2 ** 28]));
    assert.throws(
      full,
      (error: Error) => error instanceof MemoryError && /; \d+ tensors of \d+ bytes are alive$/.test(error.message),
    );
    assert.is(held.byteLength, 4000);
  });
});

test("a tensor's name, kind and text", () => {
  scope(() => {
    const tensor = Tensor.zeros([2, 3]);
    assert.is(Tensor.name, "Tensor");
    assert.is(String(tensor), "Tensor f32 [2, 3]");
    assert.is(Object.prototype.toString.call(tensor), "[object Tensor]");
    tensor.dispose();
    assert.is(String(tensor), "Tensor f32 [2, 3], disposed");
  });
});

test.after.each((context) => {
  assert.is(defaultCore().bytesInUse, context.bytes);
});
test.run();
