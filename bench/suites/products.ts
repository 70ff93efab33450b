/** Matrix products of the decoder's shapes, packing or quantising of the activations counted, against register-only loops. */
import { Machine } from "../support/machine.ts";
import { measureKernels } from "../support/measure.ts";
import { floatProduct, integerProduct } from "../support/products.ts";
import { type Row, rateRow, type SuiteOptions, type Table } from "../support/report.ts";

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
