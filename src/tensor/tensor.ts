/** The minimal tensor: an address in the core's memory, a shape and a type. Products, norms and rotations are kernels of the core. */
import type { Core } from "../core/core.ts";
import { defaultCore } from "../core/default-core.ts";
import { disposeSymbol } from "../dispose.ts";
import { ArgumentError, DisposedError, MemoryError, ShapeError } from "../errors.ts";
import { writeRotationRows } from "../rotary/rotation-rows.ts";
import { show } from "../show.ts";
import {
  checkedIndices,
  checkedNumbers,
  checkedPositions,
  checkedShape,
  elementsOf,
  lastAxis,
  nestedNumbers,
  sameShape,
} from "./arguments.ts";
import { checkedRanges, type Range } from "./arrange.ts";
import { combine, type Operator } from "./elementwise.ts";
import { multiply } from "./multiply.ts";
import { type Reduction, reduce } from "./reduce.ts";
import { checkedOptions, frequenciesOf, type RotationOptions } from "./rotation.ts";
import { enter } from "./scope.ts";
import { Storage } from "./storage.ts";
import { broadcastShape, checkedAxis, eachRow, stridesOf } from "./strides.ts";

/** What a tensor's elements are: four bytes each. */
export type TensorType = "f32" | "i32";

/** How keys or queries are turned to their positions. */
export type RotaryEmbeddingOptions = RotationOptions & {
  /** Scale of the turned dimensions (YaRN's attention factor); default 1. */
  readonly attentionFactor?: number | undefined;
};

/** Numbers in lists of lists, as deep as there are axes. */
export type NestedNumbers = readonly number[] | readonly NestedNumbers[];

/**
 * Numbers in row-major order. Operations make new tensors and leave their operands as they are; memory is held until
 * `dispose()`, which every tensor needs, views too: `using` and `scope` do it by themselves. Using a disposed tensor throws DisposedError.
 */
export class Tensor {
  static {
    // Bundlers give the class another name where its own stands in it.
    Object.defineProperty(Tensor, "name", { value: "Tensor" });
  }

  readonly #shape: readonly number[];
  readonly #type: TensorType;
  #storage: Storage | undefined;

  private constructor(storage: Storage, shape: readonly number[], type: TensorType) {
    if (!(storage instanceof Storage)) throw new ArgumentError("Tensors are made by Tensor.from and Tensor.zeros");
    this.#storage = storage;
    this.#shape = Object.freeze([...shape]);
    this.#type = type;
    enter(this);
  }

  /** Lengths of the axes, outermost first; no axes for a scalar. */
  get shape(): readonly number[] {
    return this.#shape;
  }

  get type(): TensorType {
    return this.#type;
  }

  /**
   * A copy of `values`: i32 for an Int32Array, f32 for anything else.
   * @param shape at most 64 axes; one of length 0 leaves no elements, and the others still have to be addressable. Without it that of the
   * lists that `values` are
   * @throws ShapeError when there are not as many values as the shape has places, or lists are ragged; ArgumentError for values that are no
   * numbers; MemoryError; UnsupportedError where `loadCore()` must be awaited first
   */
  static from(values: ArrayLike<number> | NestedNumbers, shape?: readonly number[]): Tensor {
    const nested = shape === undefined ? nestedNumbers(values) : undefined;
    const lengths = checkedShape(nested?.shape ?? shape);
    const numbers = nested?.numbers ?? checkedNumbers(values, "Values");
    const elements = elementsOf(lengths);
    if (numbers.length !== elements) {
      throw new ShapeError(`${numbers.length} values do not fill the shape [${lengths}], which has ${elements} places`);
    }
    const type = numbers instanceof Int32Array ? "i32" : "f32";
    return Tensor.#compute(lengths, type, (target, core) => core[type](target, elements).set(numbers));
  }

  /** A tensor of zeros. @throws ShapeError, ArgumentError, MemoryError, UnsupportedError as `from` */
  static zeros(shape: readonly number[], type: TensorType = "f32"): Tensor {
    const lengths = checkedShape(shape);
    if (type !== "f32" && type !== "i32") {
      throw new ArgumentError(`type should be "f32" or "i32" and is ${show(type)}`);
    }
    return Tensor.#compute(lengths, type, (target, core) => core.bytes(target, elementsOf(lengths) * 4).fill(0));
  }

  /** Bytes of the elements. */
  get byteLength(): number {
    return elementsOf(this.#shape) * 4;
  }

  /** A copy of the elements: an Int32Array for i32, a Float32Array for f32. @throws MemoryError */
  toArray(): Float32Array | Int32Array {
    const { core, pointer } = this.#live("toArray");
    const elements = core[this.#type](pointer, elementsOf(this.#shape));
    try {
      return elements.slice();
    } catch (cause) {
      throw new MemoryError(`The runtime has no array of ${elements.byteLength} bytes for a copy`, { cause });
    }
  }

  /** The same memory in another shape of as many elements: nothing is copied. @throws ShapeError, MemoryError as `from` */
  reshape(shape: readonly number[]): Tensor {
    const lengths = checkedShape(shape);
    const storage = this.#live("reshape");
    if (elementsOf(lengths) !== elementsOf(this.#shape)) {
      throw new ShapeError(`A tensor of shape [${this.#shape}] cannot be seen as one of [${lengths}]`);
    }
    return new Tensor(storage.hold(), lengths, this.#type);
  }

  /**
   * The matrix product [..., m, k] x [k, n], or [..., m, k] x [..., k, n] with the same leading axes.
   * @returns [..., m, n] f32
   * @throws ShapeError; ArgumentError for what is no tensor; MemoryError
   */
  matmul(other: Tensor): Tensor {
    const [left, right] = [this.#floats("matmul"), Tensor.#operand(other, "matmul").#floats("matmul")];
    const [a, b] = [this.#shape, other.#shape];
    const shared = b.length === 2;
    const fits =
      a.length >= 2 && b.length >= 2 && a.at(-1) === b.at(-2) && (shared || sameShape(a.slice(0, -2), b.slice(0, -2)));
    if (!fits) throw new ShapeError(`matmul takes [..., m, k] and [k, n] or [..., k, n], not [${a}] and [${b}]`);
    const [depth, columns] = [b.at(-2)!, b.at(-1)!];
    const batches = shared ? 1 : elementsOf(a.slice(0, -2));
    const rows = shared ? elementsOf(a.slice(0, -1)) : a.at(-2)!;
    return Tensor.#compute([...a.slice(0, -1), columns], "f32", (target, core) => {
      // A product over nothing is zero.
      if (depth === 0) core.bytes(target, batches * rows * columns * 4).fill(0);
      for (let batch = 0; depth > 0 && batch < batches; batch++) {
        const from = left.pointer + batch * rows * depth * 4;
        const weights = right.pointer + batch * depth * columns * 4;
        multiply(core, from, weights, target + batch * rows * columns * 4, { rows, depth, columns });
      }
    });
  }

  /**
   * What stands at places of an axis, in the order of `indices`, of which one may stand more than once.
   * @param axis the first by default; negative ones count from the last
   * @returns the shape with as many places on the axis as there are indices
   * @throws ArgumentError for an index that is negative, too high or not whole; ShapeError for a scalar
   */
  gather(indices: ArrayLike<number> | Tensor, axis = 0): Tensor {
    const numbers = Tensor.#numbersOf(indices, "Indices");
    const { pointer } = this.#live("gather");
    if (this.#shape.length === 0) throw new ShapeError("gather takes places of an axis, and a scalar has none");
    const { outer, length, inner, along } = this.#split(axis, "gather");
    const list = checkedIndices(numbers, length);
    return Tensor.#compute(this.#shape.with(along, list.length), this.#type, (target, core) =>
      core.borrow({ places: list.byteLength }, ({ places }) => {
        core.i32(places, list.length).set(list);
        for (let row = 0; row < outer; row++) {
          const [from, to] = [pointer + row * length * inner * 4, target + row * list.length * inner * 4];
          core.kernels.gatherRows(from, places, to, list.length, inner * 4);
        }
      }),
    );
  }

  /**
   * The tensor with its axes in another order.
   * @param axes which axis comes first, second and so on; the reverse by default
   * @throws ArgumentError for what does not name every axis once
   */
  transpose(axes: readonly number[] = this.#shape.map((_, axis) => this.#shape.length - 1 - axis)): Tensor {
    const source = this.#live("transpose");
    const count = this.#shape.length;
    const order = Array.isArray(axes) ? axes.map((axis) => checkedAxis(axis, count, "transpose")) : [];
    if (order.length !== count || new Set(order).size !== count) {
      throw new ArgumentError(`transpose takes each of ${count} axes once, not ${show(axes)}`);
    }
    const strides = stridesOf(this.#shape);
    return this.#rearranged(
      source,
      order.map((axis) => this.#shape[axis]!),
      order.map((axis) => strides[axis]!),
      0,
    );
  }

  /**
   * A part of the tensor.
   * @param ranges for each axis from the first `[from, end]`, which count from the axis's end where they are negative, as in
   * `Array.slice`; null, and axes that are left out, stand for the whole axis
   * @throws ArgumentError for ranges that are none; ShapeError for more of them than there are axes
   */
  slice(...ranges: readonly Range[]): Tensor {
    const source = this.#live("slice");
    const bounds = checkedRanges(ranges, this.#shape);
    const strides = stridesOf(this.#shape);
    const first = bounds.reduce((sum, [from], axis) => sum + from * strides[axis]!, 0);
    return this.#rearranged(
      source,
      bounds.map(([from, end]) => end - from),
      strides,
      first,
    );
  }

  /**
   * Tensors of one type, one behind the other along an axis.
   * @param axis the first by default; negative ones count from the last
   * @throws ArgumentError for no tensors; ShapeError when they differ in type or in another axis
   */
  static concat(tensors: readonly Tensor[], axis = 0): Tensor {
    if (!Array.isArray(tensors) || tensors.length === 0) {
      throw new ArgumentError(`concat takes a list of tensors, not ${show(tensors)}`);
    }
    const parts = tensors.map((part) => Tensor.#operand(part, "concat"));
    const sources = parts.map((part) => part.#live("concat"));
    const [{ type, shape }] = parts as [Tensor];
    const { along, outer } = parts[0]!.#split(axis, "concat");
    for (const part of parts) {
      if (part.type !== type) throw new ShapeError(`concat takes tensors of one type, not ${type} and ${part.type}`);
      if (part.shape.length === shape.length && sameShape(part.shape.with(along, 0), shape.with(along, 0))) continue;
      throw new ShapeError(
        `concat along axis ${along} takes shapes that agree in the others, not [${shape}] and [${part.shape}]`,
      );
    }
    const length = parts.reduce((sum, part) => sum + part.shape[along]!, 0);
    return Tensor.#compute(shape.with(along, length), type, (target, core) => {
      let to = target;
      for (let row = 0; row < outer; row++) {
        for (const [index, part] of parts.entries()) {
          const bytes = part.byteLength / outer;
          core.bytes(to, bytes).set(core.bytes(sources[index]!.pointer + row * bytes, bytes));
          to += bytes;
        }
      }
    });
  }

  /**
   * Rotary position embedding (Su et al. 2021): turns heads to their positions. Dimension i turns with dimension
   * i + half ("rotate half", as Hugging Face lays heads out); angles are formed in f64.
   *
   * The shape is [..., positions, headSize]: leading axes (heads) share the positions.
   * @param positions one for each row of the last axis but one; they need not be whole
   * @throws ShapeError, and ArgumentError for positions, frequencies or a factor that are not finite
   */
  rotaryEmbedding(positions: ArrayLike<number> | Tensor, options: RotaryEmbeddingOptions = {}): Tensor {
    const list = checkedPositions(Tensor.#numbersOf(positions, "Positions"));
    const { attentionFactor = 1, ...rotation } = checkedOptions(options, [
      "theta",
      "inverseFrequencies",
      "attentionFactor",
    ]);
    if (!Number.isFinite(attentionFactor)) throw new ArgumentError(`attentionFactor is ${show(attentionFactor)}`);
    return this.#turn(list, rotation, attentionFactor, "rotaryEmbedding");
  }

  /**
   * Turns keys from the positions they carry to others, by the difference of the angles. An attention factor that
   * is in them stays as it is.
   * @param from positions that the rows of [..., positions, headSize] carry; `to`: those they are to carry
   * @throws as `rotaryEmbedding`
   */
  rerotate(from: ArrayLike<number> | Tensor, to: ArrayLike<number> | Tensor, options: RotationOptions = {}): Tensor {
    const old = checkedPositions(Tensor.#numbersOf(from, "Positions"));
    const next = checkedPositions(Tensor.#numbersOf(to, "Positions"));
    if (old.length !== next.length)
      throw new ShapeError(`rerotate goes from ${old.length} positions to ${next.length}`);
    const distances = next.map((position, row) => position - old[row]!);
    return this.#turn(distances, checkedOptions(options, ["theta", "inverseFrequencies"]), 1, "rerotate");
  }

  /**
   * The sum with a tensor or number; shapes are broadcast as NumPy does it. Two i32 give i32, of which only the lowest 32 bits
   * are kept; with an f32, or a number that is no int32, the result is f32.
   * @throws ShapeError when the shapes do not go together; ArgumentError for what is neither tensor nor number; MemoryError
   */
  add(other: Tensor | number): Tensor {
    return this.#combine("add", other);
  }

  /** The difference. @throws as `add` */
  subtract(other: Tensor | number): Tensor {
    return this.#combine("subtract", other);
  }

  /** The product of elements. @throws as `add` */
  multiply(other: Tensor | number): Tensor {
    return this.#combine("multiply", other);
  }

  /** The quotient of elements: f32, whatever the operands are. @throws as `add` */
  divide(other: Tensor | number): Tensor {
    return this.#combine("divide", other);
  }

  /**
   * The sum along an axis, which is gone then, or of all elements; of i32 its lowest 32 bits.
   * @param axis negative ones count from the last
   * @throws ArgumentError for an axis that there is not
   */
  sum(axis?: number): Tensor {
    return this.#reduce("sum", axis);
  }

  /** The mean: f32, NaN of no elements. @throws as `sum` */
  mean(axis?: number): Tensor {
    return this.#reduce("mean", axis);
  }

  /** The largest element; a NaN is the largest of all. @throws as `sum`; ShapeError where there are no elements */
  max(axis?: number): Tensor {
    return this.#reduce("max", axis);
  }

  /** Softmax along the last axis; -infinity has the weight 0. @throws ShapeError for a scalar */
  softmax(): Tensor {
    const { pointer } = this.#floats("softmax");
    const width = lastAxis(this.#shape, "softmax");
    const rows = elementsOf(this.#shape.slice(0, -1));
    return Tensor.#compute(this.#shape, "f32", (target, core) => core.kernels.softmax(pointer, target, rows, width));
  }

  /**
   * Root-mean-square norm (Zhang and Sennrich 2019) along the last axis: x / sqrt(mean x² + epsilon) · weight.
   * @param weight [width of the last axis]
   * @throws ShapeError, and ArgumentError for an epsilon that is negative or not finite
   */
  rmsNorm(weight: Tensor, epsilon: number): Tensor {
    const [source, weights] = [this.#floats("rmsNorm"), Tensor.#operand(weight, "rmsNorm").#floats("rmsNorm")];
    const width = lastAxis(this.#shape, "rmsNorm");
    if (!sameShape(weight.#shape, [width])) {
      throw new ShapeError(`rmsNorm of [${this.#shape}] takes a weight of [${width}], not [${weight.#shape}]`);
    }
    if (!(Number.isFinite(epsilon) && epsilon >= 0)) {
      throw new ArgumentError(`epsilon should be a number from 0 on and is ${show(epsilon)}`);
    }
    const rows = elementsOf(this.#shape.slice(0, -1));
    return Tensor.#compute(this.#shape, "f32", (target, core) =>
      core.kernels.rmsNorm(source.pointer, weights.pointer, target, width, epsilon, 0, rows),
    );
  }

  /** Lets go of the memory, which is freed when no view is left. Disposing again does nothing. */
  dispose(): void {
    this.#storage?.release();
    this.#storage = undefined;
  }

  /** For `using`. */
  [disposeSymbol](): void {
    this.dispose();
  }

  get [Symbol.toStringTag](): string {
    return "Tensor";
  }

  /** Type, shape, and whether it has been disposed. */
  toString(): string {
    return `Tensor ${this.#type} [${this.#shape.join(", ")}]${this.#storage ? "" : ", disposed"}`;
  }

  /** What Node's, Deno's and Bun's consoles print. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return this.toString();
  }

  /** A tensor of a checked shape that `write` fills, unless it has no elements; freed again when that fails. */
  static #compute(shape: readonly number[], type: TensorType, write: (target: number, core: Core) => void): Tensor {
    const elements = elementsOf(checkedShape(shape));
    const storage = new Storage(defaultCore(), elements * 4);
    try {
      if (elements > 0) write(storage.pointer, storage.core);
      return new Tensor(storage, shape, type);
    } catch (error) {
      storage.release();
      throw error;
    }
  }

  #turn(distances: Float64Array, options: RotationOptions, factor: number, operation: string): Tensor {
    const headSize = lastAxis(this.#shape, operation);
    const places = this.#shape.at(-2);
    if (places !== distances.length) {
      throw new ShapeError(
        `${operation} of [${this.#shape}] takes a position for each row of [..., positions, headSize], not ${distances.length}`,
      );
    }
    const frequencies = frequenciesOf(options, headSize);
    const source = this.#floats(operation);
    const rows = elementsOf(this.#shape.slice(0, -1));
    const sizes = { rotations: distances.length * frequencies.length * 8, indices: rows * 4 };
    return Tensor.#compute(this.#shape, "f32", (target, core) =>
      core.borrow(sizes, ({ rotations, indices }) => {
        writeRotationRows(core, rotations, distances.length, (row) => distances[row]!, frequencies, factor);
        core.i32(indices, rows).set(Int32Array.from({ length: rows }, (_, row) => row % places));
        core.bytes(target, this.byteLength).set(core.bytes(source.pointer, this.byteLength));
        core.kernels.turnRows(target, rows, headSize, frequencies.length, rotations, indices);
      }),
    );
  }

  #combine(operator: Operator, other: Tensor | number): Tensor {
    const left = this.#live(operator);
    const right = typeof other === "number" ? other : Tensor.#operand(other, operator).#live(operator);
    const [shape, type] =
      typeof other === "number"
        ? ([this.#shape, this.#type === "i32" && (other | 0) === other ? "i32" : "f32"] as const)
        : ([
            broadcastShape(this.#shape, other.#shape, operator),
            this.#type === other.#type ? this.#type : "f32",
          ] as const);
    return Tensor.#compute(shape, operator === "divide" ? "f32" : type, (target, core) => {
      const a = core[this.#type](left.pointer, elementsOf(this.#shape));
      const to = core[operator === "divide" ? "f32" : type](target, elementsOf(shape));
      if (typeof other === "number") {
        const b = type === "i32" ? Int32Array.of(other) : Float32Array.of(other);
        combine(operator, { elements: a, shape: this.#shape }, { elements: b, shape: [] }, shape, to);
      } else if (
        operator === "add" &&
        type === "f32" &&
        this.#type === other.#type &&
        sameShape(this.#shape, other.#shape)
      ) {
        core.kernels.add(left.pointer, (right as Storage).pointer, target, to.length);
      } else {
        const b = core[other.#type]((right as Storage).pointer, elementsOf(other.#shape));
        combine(operator, { elements: a, shape: this.#shape }, { elements: b, shape: other.#shape }, shape, to);
      }
    });
  }

  #reduce(reduction: Reduction, axis: number | undefined): Tensor {
    const source = this.#live(reduction);
    const whole = { outer: 1, length: elementsOf(this.#shape), inner: 1, along: 0 };
    const { outer, length, inner, along } = axis === undefined ? whole : this.#split(axis, reduction);
    if (reduction === "max" && length === 0)
      throw new ShapeError(`max of the shape [${this.#shape}] has no elements to choose from`);
    const shape = axis === undefined ? [] : this.#shape.toSpliced(along, 1);
    const type = reduction === "mean" ? "f32" : this.#type;
    return Tensor.#compute(shape, type, (target, core) => {
      const elements = core[this.#type](source.pointer, elementsOf(this.#shape));
      reduce(reduction, elements, [outer, length, inner], core[type](target, outer * inner));
    });
  }

  /** The elements at `first` and on, walked through by strides. */
  #rearranged(source: Storage, shape: readonly number[], strides: readonly number[], first: number): Tensor {
    return Tensor.#compute(shape, this.#type, (target, core) => {
      const from = core.i32(source.pointer, elementsOf(this.#shape));
      const to = core.i32(target, elementsOf(shape));
      const [length, step] = [shape.at(-1) ?? 1, strides.at(-1) ?? 1];
      let place = 0;
      eachRow(shape, [strides], ([start]) => {
        for (let index = 0; index < length; index++) to[place++] = from[first + start! + index * step]!;
      });
    });
  }

  /** The shape as what comes before an axis, the axis, and what comes behind. */
  #split(axis: number, operation: string) {
    const along = checkedAxis(axis, this.#shape.length, operation);
    return {
      along,
      outer: elementsOf(this.#shape.slice(0, along)),
      length: this.#shape[along]!,
      inner: elementsOf(this.#shape.slice(along + 1)),
    };
  }

  #floats(operation: string): Storage {
    const storage = this.#live(operation);
    if (this.#type !== "f32") throw new ShapeError(`${operation} takes tensors of f32, not of ${this.#type}`);
    return storage;
  }

  #live(operation: string): Storage {
    if (!this.#storage) throw new DisposedError(`${operation}: the tensor of shape [${this.#shape}] has been disposed`);
    return this.#storage;
  }

  /** @throws ArgumentError for what is no tensor */
  static #operand(value: unknown, operation: string): Tensor {
    if (Tensor.#is(value)) return value;
    throw new ArgumentError(`${operation} takes a tensor, not ${show(value)}`);
  }

  static #numbersOf(values: unknown, name: string): ArrayLike<number> {
    return Tensor.#is(values) ? values.toArray() : checkedNumbers(values, name);
  }

  static #is(value: unknown): value is Tensor {
    return typeof value === "object" && value !== null && #storage in value;
  }
}
