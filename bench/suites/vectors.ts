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
  const scalePointer = core.allocate(4);
  const sums = core.allocate((DEPTH / 32) * 4);
  const results = core.allocate(COLUMNS * 4);
  const panels = panelsOf(COLUMNS);
  let turn = 0;
  const next = () => copies[turn++ % copies.length]!;
  if (form === "f32") {
    return { work, run: () => kernels.matvecF32(source, next(), results, DEPTH, 0, panels, 0) };
  }
  return {
    work,
    run: () => {
      kernels.quantiseRow(source, codes, scalePointer, sums, DEPTH);
      const scale = core.f32(scalePointer, 1)[0]!;
      if (form === "q8") kernels.matvecQ8(codes, scale, next(), results, DEPTH, 0, panels, 0);
      else kernels.matvecQ4(codes, scale, sums, next(), results, DEPTH, 0, panels, 0, 0);
    },
  };
}
