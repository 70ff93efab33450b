/** The minimal tensor: an address in the core's memory, a shape and a type; every operation is a kernel of the core. */
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
  sameShape,
} from "./arguments.ts";
import { multiply } from "./multiply.ts";
import { checkedOptions, frequenciesOf, type RotationOptions } from "./rotation.ts";
import { Storage } from "./storage.ts";

/** What a tensor's elements are: four bytes each. */
export type TensorType = "f32" | "i32";

/** How keys or queries are turned to their positions. */
export type RotaryEmbeddingOptions = RotationOptions & {
  /** Scale of the turned dimensions (YaRN's attention factor); default 1. */
  readonly attentionFactor?: number | undefined;
};

/**
 * Numbers in row-major order. Operations make new tensors and leave their operands as they are; memory is held until
 * `dispose()`, which every tensor needs, views too. Using a disposed tensor throws DisposedError.
 */
export class Tensor {
  readonly #shape: readonly number[];
  readonly #type: TensorType;
  #storage: Storage | undefined;

  private constructor(storage: Storage, shape: readonly number[], type: TensorType) {
    if (!(storage instanceof Storage)) throw new ArgumentError("Tensors are made by Tensor.from and Tensor.zeros");
    this.#storage = storage;
    this.#shape = Object.freeze([...shape]);
    this.#type = type;
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
   * @param shape at most 64 axes; one of length 0 leaves no elements, and the others still have to be addressable
   * @throws ShapeError when there are not as many values as the shape has places; ArgumentError for values that are no
   * numbers; MemoryError; UnsupportedError where `loadCore()` must be awaited first
   */
  static from(values: ArrayLike<number>, shape: readonly number[]): Tensor {
    const lengths = checkedShape(shape);
    const numbers = checkedNumbers(values, "Values");
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
   * Rows along the first axis, in the order of `indices`, of which one may stand more than once.
   * @returns [indices, ...]
   * @throws ArgumentError for an index that is negative, too high or not whole; ShapeError for a scalar
   */
  gather(indices: ArrayLike<number> | Tensor): Tensor {
    const numbers = Tensor.#numbersOf(indices, "Indices");
    const storage = this.#live("gather");
    const [rows, ...rest] = this.#shape;
    if (rows === undefined) throw new ShapeError("gather takes rows along the first axis, and a scalar has none");
    const list = checkedIndices(numbers, rows);
    return Tensor.#compute([list.length, ...rest], this.#type, (target, core) =>
      core.borrow(list.byteLength, (pointer) => {
        core.i32(pointer, list.length).set(list);
        core.kernels.gatherRows(storage.pointer, pointer, target, list.length, elementsOf(rest) * 4);
      }),
    );
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

  /** The sum with a tensor of the same shape. @throws ShapeError, ArgumentError as `matmul` */
  add(other: Tensor): Tensor {
    const [left, right] = [this.#floats("add"), Tensor.#operand(other, "add").#floats("add")];
    if (!sameShape(this.#shape, other.#shape)) {
      throw new ShapeError(`add takes two tensors of one shape, not [${this.#shape}] and [${other.#shape}]`);
    }
    return Tensor.#compute(this.#shape, "f32", (target, core) =>
      core.kernels.add(left.pointer, right.pointer, target, elementsOf(this.#shape)),
    );
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
    return Tensor.#compute(this.#shape, "f32", (target, core) =>
      core.borrow(distances.length * frequencies.length * 8 + rows * 4, (rotations) => {
        const indices = rotations + distances.length * frequencies.length * 8;
        writeRotationRows(core, rotations, distances.length, (row) => distances[row]!, frequencies, factor);
        core.i32(indices, rows).set(Int32Array.from({ length: rows }, (_, row) => row % places));
        core.bytes(target, this.byteLength).set(core.bytes(source.pointer, this.byteLength));
        core.kernels.turnRows(target, rows, headSize, frequencies.length, rotations, indices);
      }),
    );
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
