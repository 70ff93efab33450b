/** The steps of one layer of the Llama architecture, written on a tape. */
import type { CacheForm } from "../cache/page-form.ts";
import { packedSizeOf } from "../core/axis.ts";
import { LayerRecord } from "../core/layouts.ts";
import type { Tape } from "../core/tape.ts";
import { bytesOf } from "../core/words.ts";
import type { Recording } from "./batch.ts";
import type { Layout } from "./layout.ts";
import type { LayerWeights, Matrix, Vector } from "./weights.ts";
import type { WorkspaceParts } from "./workspace.ts";

/** What the steps of a layer depend on, beside its weights. */
export interface LayerShape {
  readonly rows: number;
  /** Rows that enter the cache, the first ones. */
  readonly textRows: number;
  readonly scoring: boolean;
  readonly record: Recording | undefined;
  readonly form: CacheForm;
  /** Whether it is one row of decoding, which has kernels of its own. */
  readonly single: boolean;
  /** Whether the layer goes on behind its keys, values and scores. */
  readonly complete: boolean;
  /** Pairs of a head that are rotated. */
  readonly rotatedHalf: number;
  readonly attentionFactor: number;
  /** As the norms over padded rows want it. */
  readonly normEpsilon: number;
}

/** Writes all steps of a layer. @param layer its index, by which its records are found */
export function writeLayer(
  tape: Tape,
  parts: WorkspaceParts,
  layer: number,
  weights: LayerWeights,
  layout: Layout,
  shape: LayerShape,
): void {
  const { rows, normEpsilon } = shape;
  const width = packedSizeOf(layout.width);
  const norm = (weight: Vector) => tape.rmsNorm(parts.hidden, weight.pointer, parts.normed, width, normEpsilon, rows);
  norm(weights.attentionNorm);
  tape.barrier();
  writeProducts(tape, parts, parts.normed, rows, [
    [weights.query, parts.queries, false, weights.queryBias],
    [weights.key, parts.keys, false, weights.keyBias],
    [weights.value, parts.values, false, weights.valueBias],
  ]);
  tape.barrier();
  if (shape.record) {
    writeCopies(tape, parts, layer, layout, shape.record);
    tape.barrier();
  }
  writeAttention(tape, parts, parts.layers + layer * bytesOf(LayerRecord), shape);
  if (!shape.complete) return;
  writeProducts(tape, parts, parts.attended, rows, [[weights.output, parts.hidden, true, weights.outputBias]]);
  tape.barrier();
  norm(weights.feedForwardNorm);
  tape.barrier();
  writeProducts(tape, parts, parts.normed, rows, [
    [weights.gate, parts.gate, false, weights.gateBias],
    [weights.up, parts.up, false, weights.upBias],
  ]);
  tape.barrier();
  tape.siluMultiply(parts.gate, parts.up, packedSizeOf(layout.feedForward), rows);
  tape.barrier();
  writeProducts(tape, parts, parts.gate, rows, [[weights.down, parts.hidden, true, weights.downBias]]);
  tape.barrier();
}

/** Rotation, the way into the cache, attention and the scores of entries. @param record address of the layer's record */
function writeAttention(tape: Tape, parts: WorkspaceParts, record: number, shape: LayerShape): void {
  const append = () => {
    if (shape.textRows) tape.append(shape.form, record, shape.textRows);
    tape.barrier();
  };
  // 8-bit pages take keys as they are before rotation.
  if (shape.form === "q8") append();
  tape.rotate(record, parts.rotationCell, parts.rowOffsets, shape.rotatedHalf, shape.attentionFactor, shape.rows);
  tape.barrier();
  if (shape.form === "f32") append();
  if (shape.single) {
    tape.attendRow(shape.form, record, parts.rowParts);
    tape.barrier();
    tape.mergeParts(record, parts.rowParts);
  } else {
    if (shape.form === "q8") {
      tape.expand(record);
      tape.barrier();
    }
    tape.attend(record);
  }
  tape.barrier();
  if (shape.scoring) {
    tape.scoreEntries(record);
    tape.barrier();
  }
}

/** Copies what enters a layer's attention. */
function writeCopies(
  tape: Tape,
  parts: WorkspaceParts,
  layer: number,
  layout: Layout,
  { firstRow, rows, ...targets }: Recording,
): void {
  const axes = { queries: layout.queryHeads, keys: layout.kvHeads, normed: layout.width };
  for (const name of ["queries", "keys", "normed"] as const) {
    const width = packedSizeOf(axes[name]);
    if (!targets[name]) continue;
    tape.copy(parts[name] + firstRow * width * 4, targets[name] + layer * rows * width * 4, rows * width);
  }
}

/** A matrix, where its products go, whether they are added to what is there, and what is added to them. */
type Product = readonly [matrix: Matrix, results: number, accumulate: boolean, bias?: Vector | undefined];

/** Multiplies rows of activations with several matrices of the same depth. */
export function writeProducts(
  tape: Tape,
  parts: WorkspaceParts,
  source: number,
  rows: number,
  products: readonly Product[],
): void {
  const { depth } = products[0]![0];
  const forms = new Set(products.map(([matrix]) => matrix.form));
  if (forms.has("f32") && rows > 1) tape.packRows(source, parts.packed, rows, depth);
  if (rows > 1 && (forms.has("q8") || forms.has("q4"))) {
    tape.quantiseRows(source, parts.quantised, parts.scales, rows, depth);
  }
  if (rows === 1 && forms.has("q8")) tape.quantiseRow(source, parts.quantised, parts.scales, depth);
  if (rows === 1 && forms.has("q4")) {
    tape.quantiseRowQ4(source, parts.differences, parts.differenceScales, parts.sums, depth);
  }
  // The products are then added to the biases.
  for (const [, results, accumulate, bias] of products) {
    if (bias) tape.addBias(bias.pointer, results, bias.length, rows, accumulate);
  }
  tape.barrier();
  for (const [matrix, results, onTop, bias] of products) {
    const accumulate = onTop || bias !== undefined;
    if (rows > 1) {
      const activations = matrix.form === "f32" ? parts.packed : parts.quantised;
      tape.matmul(matrix, activations, parts.scales, results, matrix.panels * 32, rows, accumulate);
    } else {
      const activations = { f32: source, q8: parts.quantised, q4: parts.differences }[matrix.form];
      const scales = matrix.form === "q4" ? parts.differenceScales : parts.scales;
      tape.matvec(matrix, activations, scales, parts.sums, results, accumulate);
    }
  }
}
