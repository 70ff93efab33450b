/** Matrix products of the decoder's shapes, packing or quantising of the activations counted, against register-only loops. */
import { panelsOf } from "../../src/model/weights.ts";
import { Machine } from "../support/machine.ts";
import { type Case, measureKernels } from "../support/measure.ts";
import { type Row, rateRow, type SuiteOptions, type Table } from "../support/report.ts";
import { packWeights } from "../support/weights.ts";

/** Rows, depth, columns. */
const SHAPES = [
  [512, 576, 1536],
  [512, 1536, 576],
  [128, 576, 576],
  [512, 384, 1024],
] as const;

export async function products(options: SuiteOptions): Promise<Table> {
  const rows: Row[] = [];
  for (const [count, depth, columns] of SHAPES) {
    const machine = new Machine();
    const rates = await measureKernels(
      {
        registers: machine.registerLoop(),
        integers: machine.integerLoop(),
        f32: floatProduct(machine, count, depth, columns),
        q8: integerProduct(machine, "q8", count, depth, columns),
        q4: integerProduct(machine, "q4", count, depth, columns),
      },
      options,
    );
    const shape = `${count}x${depth}x${columns}`;
    const loop = { rates: rates.registers, to: "f32 multiply-add loop" };
    const integerLoop = { rates: rates.integers, to: "i16 multiply-add loop" };
    if (rows.length === 0) {
      rows.push(rateRow("f32 multiply-add loop in registers", "GFLOP/s", rates.registers));
      rows.push(rateRow("i16 multiply-add loop in registers", "GOP/s", rates.integers));
    }
    rows.push(rateRow(`f32 product ${shape}`, "GFLOP/s", rates.f32, loop));
    rows.push(rateRow(`8-bit product ${shape}`, "GOP/s", rates.q8, integerLoop));
    rows.push(rateRow(`4-bit product ${shape}`, "GOP/s", rates.q4, integerLoop));
  }
  return { title: "Matrix products (rows x depth x columns)", rows };
}

function floatProduct(machine: Machine, count: number, depth: number, columns: number): Case {
  const { core } = machine;
  const { kernels } = core;
  const source = machine.floats(count * depth);
  const packed = core.allocate(count * depth * 4);
  const weights = packWeights(machine, "f32", columns, depth);
  const results = core.allocate(count * columns * 4);
  return {
    work: 2 * count * depth * columns,
    run: () => {
      kernels.packRowsF32(source, packed, count, depth, 0, count / 4);
      kernels.matmulF32(packed, weights, results, columns * 4, count, depth, 0, panelsOf(columns), 0);
    },
  };
}

function integerProduct(machine: Machine, form: "q8" | "q4", count: number, depth: number, columns: number): Case {
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
    work: 2 * count * depth * columns,
    run: () => {
      kernels.quantiseRows(source, codes, scales, count, depth, 0, count / 4);
      product();
    },
  };
}
