/** Matrix-vector products of weights that come from memory, not from a cache, against a plain read loop over the same bytes. */
import { panelsOf, type WeightForm } from "../../src/model/weights.ts";
import { Machine } from "../support/machine.ts";
import { type Case, measureKernels } from "../support/measure.ts";
import { type Row, rateRow, type SuiteOptions, type Table } from "../support/report.ts";
import { packedBytes, packWeights } from "../support/weights.ts";

/** The output matrix of SmolLM2-135M. */
const COLUMNS = 49_152;
const DEPTH = 576;
/** More than the largest caches hold. */
const ENOUGH_BYTES = 160e6;

export async function vectors(options: SuiteOptions): Promise<Table> {
  const rows: Row[] = [];
  for (const form of ["f32", "q8", "q4"] as const) {
    const machine = new Machine();
    const bytes = packedBytes(form, COLUMNS, DEPTH);
    const copies = [packWeights(machine, form, COLUMNS, DEPTH)];
    while (copies.length * bytes < ENOUGH_BYTES) {
      const copy = machine.core.allocate(bytes);
      machine.core.bytes(copy, bytes).set(machine.core.bytes(copies[0]!, bytes));
      copies.push(copy);
    }
    const rates = await measureKernels(
      { read: machine.readLoop(copies, bytes), product: vectorProduct(machine, form, copies, bytes) },
      options,
    );
    if (rows.length === 0) rows.push(rateRow("read loop", "GB/s", rates.read));
    const name = form === "f32" ? "f32" : form === "q8" ? "8-bit" : "4-bit";
    const loop = { rates: rates.read, to: "read loop" };
    rows.push(rateRow(`${name} matrix-vector product`, "GB/s", rates.product, loop));
    const operations = rates.product.map((rate) => (rate * 2 * COLUMNS * DEPTH) / bytes);
    rows.push(rateRow(`${name} matrix-vector product`, "GFLOP/s", operations));
  }
  return { title: `Matrix-vector products (${DEPTH} x ${COLUMNS}) from memory`, rows };
}

/** One row times each of several copies of a matrix in turn; quantising the row is counted. */
function vectorProduct(machine: Machine, form: WeightForm, copies: readonly number[], work: number): Case {
  const { core } = machine;
  const { kernels } = core;
  const source = machine.floats(DEPTH);
  const codes = core.allocate(DEPTH * 2);
  const scales = core.allocate(Math.ceil(DEPTH / kernels.integerBlock(DEPTH)) * 4);
  const sums = core.allocate((DEPTH / 32) * 8);
  const results = core.allocate(COLUMNS * 4);
  const panels = panelsOf(COLUMNS);
  let turn = 0;
  const next = () => copies[turn++ % copies.length]!;
  const products = {
    f32: () => kernels.matvecF32(source, next(), results, DEPTH, 0, panels, 0),
    q8: () => {
      kernels.quantiseRow(source, codes, scales, DEPTH);
      kernels.matvecQ8(codes, core.f32(scales, 1)[0]!, next(), results, DEPTH, 0, panels, 0);
    },
    q4: () => {
      kernels.quantiseRowQ4(source, codes, scales, sums, DEPTH);
      kernels.matvecQ4(codes, scales, sums, next(), results, DEPTH, 0, panels, 0, 0);
    },
  };
  return { work, run: products[form] };
}
