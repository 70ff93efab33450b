/** Matrix products as cases to be measured: of `count` rows, a multiple of 4, with packed weights [columns, depth]. */
import { panelsOf } from "../../src/model/weights.ts";
import type { Machine } from "./machine.ts";
import type { Case } from "./measure.ts";
import { packWeights } from "./weights.ts";

/** A product whose operands lie in the core's memory. */
export interface Product extends Case {
  /** Address of the activations: [count, depth] f32. */
  readonly source: number;
  /** Address of the results: [count, columns] f32. */
  readonly results: number;
}

/** In f32; packing the activations is counted. */
export function floatProduct(machine: Machine, count: number, depth: number, columns: number): Product {
  const { core } = machine;
  const { kernels } = core;
  const source = machine.floats(count * depth);
  const packed = core.allocate(count * depth * 4);
  const weights = packWeights(machine, "f32", columns, depth);
  const results = core.allocate(count * columns * 4);
  return {
    source,
    results,
    work: 2 * count * depth * columns,
    run: () => {
      kernels.packRowsF32(source, packed, count, depth, 0, count / 4);
      kernels.matmulF32(packed, weights, results, columns * 4, count, depth, 0, panelsOf(columns), 0);
    },
  };
}

/** With 8- or 4-bit weights; quantising the activations is counted. */
export function integerProduct(
  machine: Machine,
  form: "q8" | "q4",
  count: number,
  depth: number,
  columns: number,
): Product {
  const { core } = machine;
  const { kernels } = core;
  const source = machine.floats(count * depth);
  const codes = core.allocate(count * depth * 2);
  const scales = core.allocate(count * Math.ceil(depth / kernels.integerBlock(depth)) * 4);
  const weights = packWeights(machine, form, columns, depth);
  const results = core.allocate(count * columns * 4);
  const scratch = core.allocate(kernels.scratchBytes(64));
  const panels = panelsOf(columns);
  const product =
    form === "q8"
      ? () => kernels.matmulQ8(codes, scales, weights, results, columns * 4, count, depth, 0, panels, 0, scratch)
      : () => kernels.matmulQ4(codes, scales, weights, results, columns * 4, count, depth, 0, panels, 0, 0, scratch);
  return {
    source,
    results,
    work: 2 * count * depth * columns,
    run: () => {
      kernels.quantiseRows(source, codes, scales, count, depth, 0, count / 4);
      product();
    },
  };
}
