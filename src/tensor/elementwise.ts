/** Sums, differences, products and quotients of the elements of two operands, broadcast to one shape. */
import { broadcastStrides, eachRow } from "./strides.ts";

/** An operation between elements. */
export type Operator = "add" | "subtract" | "multiply" | "divide";

type Numbers = Float32Array | Int32Array;

/** Elements in row-major order, and their shape. */
export interface Operand {
  readonly elements: Numbers;
  readonly shape: readonly number[];
}

/**
 * Writes `left operator right` for every place of `shape`, which is not empty. An Int32Array takes the lowest 32 bits of results,
 * as NumPy's int32 and JAX do; others are rounded to f32 once.
 */
export function combine(
  operator: Operator,
  left: Operand,
  right: Operand,
  shape: readonly number[],
  target: Numbers,
): void {
  // A scalar is a row of one.
  const wide = shape.length === 0 ? [1] : shape;
  const strides = [broadcastStrides(left.shape, wide), broadcastStrides(right.shape, wide)];
  const [leftStep, rightStep] = [strides[0]!.at(-1)!, strides[1]!.at(-1)!];
  const length = wide.at(-1)!;
  const run = target instanceof Int32Array ? wholeRuns[operator] : runs[operator];
  let to = 0;
  eachRow(wide, strides, ([from, other]) => {
    run(left.elements, from!, leftStep, right.elements, other!, rightStep, target, to, length);
    to += length;
  });
}

type Run = (
  a: Numbers,
  from: number,
  step: number,
  b: Numbers,
  other: number,
  otherStep: number,
  target: Numbers,
  to: number,
  length: number,
) => void;

// One loop for each: a call for every element would take several times as long.
const runs: Record<Operator, Run> = {
  add(a, from, step, b, other, otherStep, target, to, length) {
    for (let i = 0; i < length; i++) target[to + i] = a[from + i * step]! + b[other + i * otherStep]!;
  },
  subtract(a, from, step, b, other, otherStep, target, to, length) {
    for (let i = 0; i < length; i++) target[to + i] = a[from + i * step]! - b[other + i * otherStep]!;
  },
  multiply(a, from, step, b, other, otherStep, target, to, length) {
    for (let i = 0; i < length; i++) target[to + i] = a[from + i * step]! * b[other + i * otherStep]!;
  },
  divide(a, from, step, b, other, otherStep, target, to, length) {
    for (let i = 0; i < length; i++) target[to + i] = a[from + i * step]! / b[other + i * otherStep]!;
  },
};

const wholeRuns: Record<Operator, Run> = {
  ...runs,
  multiply(a, from, step, b, other, otherStep, target, to, length) {
    // Products beyond 2^53 would lose their lowest bits.
    for (let i = 0; i < length; i++) target[to + i] = Math.imul(a[from + i * step]!, b[other + i * otherStep]!);
  },
};
