/** Streams a file's tensors into the core's memory, packing each a few rows at a time: no second copy of a model is ever held. */
import { type Axis, inBytes, isRearranged, packedSizeOf, packRow, placeOf, sizeOf } from "../core/axis.ts";
import type { Core } from "../core/core.ts";
import { Scratch } from "../core/region.ts";
import type { ReadableEntry } from "../formats/tensor-file.ts";
import { isRareType, type TensorType, typeTraits } from "../formats/tensor-types.ts";
import { pause } from "../pause.ts";
import {
  freeTensors,
  type Matrix,
  matrixBytes,
  type PackedTensor,
  panelsOf,
  type TensorPlace,
  type WeightForm,
} from "./weights.ts";

/** A tensor to be packed. */
export interface PackJob {
  readonly place: TensorPlace;
  readonly entry: ReadableEntry;
  /** Of the tensor's rows; those of a vector are its numbers. */
  readonly rows: Axis;
  /** Absent for vectors. */
  readonly columns: Axis | undefined;
  /** Whether both halves of each head stand in turn, as llama.cpp has them. */
  readonly interleaved: boolean;
  /** What is added to a vector, and by which it is multiplied then. */
  readonly offset: number;
  readonly factor: number;
}

/** How tensors are packed. */
export interface PackOptions {
  /** The form wanted for a matrix. */
  readonly formOf: (job: PackJob) => WeightForm;
  /** Hears the bytes of tensors packed so far. */
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** Rows are staged as f32 in at most so many bytes (or one panel, or one head, whichever is more). */
const STAGING_BYTES = 2 << 20;

/** Milliseconds after which timers and signals are heard: what lies in memory already never waits for a read. */
const PAUSE_INTERVAL = 100;

/** A tensor with its place in the core's memory. */
interface Target {
  readonly job: PackJob;
  readonly pointer: number;
  /** Absent for vectors. */
  readonly matrix: Matrix | undefined;
}

/** Rows of a tensor that are read and packed together. */
interface Piece {
  readonly target: Target;
  /** Rows in the file, and those that they take in the core's memory. */
  readonly rows: number;
  readonly packedRows: number;
  readonly firstPackedRow: number;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** Addresses of the places that pieces pass through: as they stand in the file (two), as f32, and in order. */
interface Staging {
  readonly raw: readonly [number, number];
  readonly values: number;
  readonly arranged: number;
}

/**
 * Packs tensors in the order given, which should be that of the file. While a piece is packed the next one is read.
 * @throws FormatError when the file ends early; what the signal gives when aborted; nothing stays allocated then
 */
export async function packTensors(core: Core, jobs: readonly PackJob[], options: PackOptions): Promise<PackedTensor[]> {
  const layouts = jobs.map((job) => (job.columns ? layoutOf(job, job.columns, options.formOf(job)) : undefined));
  const sizes = jobs.map(({ rows }, index) => {
    const layout = layouts[index];
    return layout ? matrixBytes(layout, packedSizeOf(rows)) : packedSizeOf(rows) * 4;
  });
  // A chunk of its own, with tables of 18 kB.
  if (jobs.some(({ entry }) => isRareType(entry.type))) rareTypes ??= await import("../formats/rare-types.ts");
  core.reserve(sizes.reduce((sum, size) => sum + size, 4 * STAGING_BYTES));
  const targets: Target[] = [];
  const staging = new Scratch<"first" | "second" | "values" | "arranged">(core);
  try {
    // Everything is allocated before the first read: growing the memory would pull it away from under a read.
    for (const [index, job] of jobs.entries()) {
      const pointer = core.allocate(sizes[index]!);
      const layout = layouts[index];
      const rows = packedSizeOf(job.rows);
      targets.push({ job, pointer, matrix: layout && { ...layout, pointer, rows, panels: panelsOf(rows) } });
    }
    const pieces = targets.flatMap(cut);
    const most = (size: (piece: Piece) => number) => pieces.reduce((bytes, piece) => Math.max(bytes, size(piece)), 1);
    const rawBytes = most(({ byteLength }) => byteLength);
    const pieceBytes = { first: rawBytes, second: rawBytes, values: most(valueBytes), arranged: most(arrangedBytes) };
    const { first, second, values, arranged } = staging.cut(pieceBytes);
    await packPieces(core, pieces, { raw: [first, second], values, arranged }, options);
    return targets.map(packedTensor);
  } catch (error) {
    freeTensors(core, targets.map(packedTensor));
    throw error;
  } finally {
    staging.free();
  }
}

async function packPieces(core: Core, pieces: readonly Piece[], staging: Staging, options: PackOptions) {
  const read = (index: number) => {
    const { target, byteOffset, byteLength } = pieces[index]!;
    return target.job.entry.source.readInto(byteOffset, core.bytes(staging.raw[index % 2]!, byteLength));
  };
  let bytes = 0;
  let paused = performance.now();
  let reading = pieces.length ? read(0) : undefined;
  try {
    for (const [index, piece] of pieces.entries()) {
      await reading;
      if (performance.now() - paused > PAUSE_INTERVAL) {
        await pause();
        paused = performance.now();
      }
      options.signal?.throwIfAborted();
      reading = index + 1 < pieces.length ? read(index + 1) : undefined;
      // A read that fails while this thread packs is heard of in the next round.
      reading?.catch(() => {});
      if (piece.target.matrix) packRows(core, piece, piece.target.matrix, staging.raw[index % 2]!, staging);
      else packVector(core, piece, staging.raw[index % 2]!, staging.values);
      bytes += piece.byteLength;
      options.onBytes(bytes);
    }
  } finally {
    // Its target is about to be freed.
    await reading?.catch(() => {});
  }
}

function packedTensor({ job, pointer, matrix }: Target): PackedTensor {
  return { place: job.place, held: matrix ?? { pointer, length: packedSizeOf(job.rows) } };
}

/** Types whose blocks the 4-bit form takes as they are; the last with f32 scales. */
const fourBitTypes: ReadonlySet<TensorType> = new Set(["Q4_0", "Q4_1", "Q4_K"]);

/** Whether a matrix is packed from its blocks as they are, without a detour through f32. */
function keepsBlocks({ entry, columns }: PackJob, form: WeightForm): boolean {
  if (!columns || isRearranged(columns)) return false;
  return (form === "q8" && entry.type === "Q8_0") || (form === "q4" && fourBitTypes.has(entry.type));
}

/** How a matrix is to be held. */
function layoutOf(job: PackJob, columns: Axis, form: WeightForm): Pick<Matrix, "form" | "wide" | "depth"> {
  const narrow = keepsBlocks(job, form) && job.entry.type !== "Q4_K";
  return { form, wide: form === "q4" && !narrow, depth: packedSizeOf(columns) };
}

/** Pieces of whole panels, or of whole heads. */
function cut(target: Target): Piece[] {
  const { entry, rows, columns } = target.job;
  if (!columns) {
    const { byteOffset, byteLength } = entry;
    const packedRows = packedSizeOf(rows);
    return [{ target, rows: sizeOf(rows), packedRows, firstPackedRow: 0, byteOffset, byteLength }];
  }
  const rowBytes = entry.byteLength / sizeOf(rows);
  const [unit, packedUnit] = rows.runs > 1 ? [2 * rows.length, 2 * rows.packedLength] : [8, 8];
  const units = Math.max(1, Math.floor(STAGING_BYTES / (packedUnit * packedSizeOf(columns) * 4)));
  const count = Math.ceil(sizeOf(rows) / (units * unit));
  return Array.from({ length: count }, (_, index) => {
    const first = index * units * unit;
    const firstPackedRow = index * units * packedUnit;
    const taken = Math.min(units * unit, sizeOf(rows) - first);
    const packedRows = index + 1 < count ? units * packedUnit : packedSizeOf(rows) - firstPackedRow;
    const byteOffset = entry.byteOffset + first * rowBytes;
    return { target, rows: taken, packedRows, firstPackedRow, byteOffset, byteLength: taken * rowBytes };
  });
}

/** Whether a piece's rows or columns must be put in their places. */
function isArranged({ rows, columns, interleaved }: PackJob): boolean {
  return interleaved || isRearranged(rows) || (columns !== undefined && isRearranged(columns));
}

/** Bytes of a piece's values as f32, where it takes that detour. */
function valueBytes({ target: { job, matrix }, rows }: Piece): number {
  if (matrix && keepsBlocks(job, matrix.form)) return 0;
  return rows * (job.columns ? sizeOf(job.columns) : 1) * 4;
}

/** Bytes of a piece in its order in the core's memory, where that is another. */
function arrangedBytes({ target: { job, matrix }, rows, packedRows, byteLength }: Piece): number {
  if (!matrix || !isArranged(job)) return 0;
  return keepsBlocks(job, matrix.form) ? (byteLength / rows) * packedRows : packedRows * matrix.depth * 4;
}

let rareTypes: typeof import("../formats/rare-types.ts") | undefined;

/** A piece's values as f32, of whatever type. @param raw its bytes as they stand in the file */
function dequantise(core: Core, piece: Piece, raw: number, values: number, count: number): void {
  const { type } = piece.target.job.entry;
  const { ggmlType, blockBytes } = typeTraits[type];
  if (!isRareType(type)) core.kernels.dequantise(ggmlType, raw, values, count);
  else rareTypes!.dequantiseRare(type, core.bytes(raw, piece.byteLength), blockBytes, core.f32(values, count));
}

/** Packs rows of a matrix. @param raw its bytes as they stand in the file */
function packRows(core: Core, piece: Piece, matrix: Matrix, raw: number, staging: Staging): void {
  const { kernels } = core;
  const { job } = piece.target;
  const { form, depth } = matrix;
  const { type } = job.entry;
  const { ggmlType } = typeTraits[type];
  const columns = job.columns!;
  const asBlocks = keepsBlocks(job, form);
  let source = raw;
  if (!asBlocks) {
    dequantise(core, piece, raw, staging.values, piece.rows * sizeOf(columns));
    source = staging.values;
  }
  if (isArranged(job)) {
    const rowBytes = piece.byteLength / piece.rows;
    const bytes = asBlocks ? { runs: 1, length: rowBytes, packedLength: rowBytes } : inBytes(columns, 4);
    arrange(core, piece, source, staging.arranged, bytes);
    source = staging.arranged;
  }
  const place = matrix.pointer + matrixBytes(matrix, piece.firstPackedRow);
  if (asBlocks && form === "q8") kernels.packQ8Blocks(source, piece.packedRows, depth, place);
  else if (asBlocks) kernels.packQ4Blocks(ggmlType, source, piece.packedRows, depth, place);
  else {
    const pack = { f32: kernels.packF32, q8: kernels.packQ8, q4: kernels.packQ4 }[form];
    pack(source, piece.packedRows, depth, place);
  }
}

/** Packs a whole vector. @param raw its bytes as they stand in the file @param values room for it as f32 */
function packVector(core: Core, piece: Piece, raw: number, values: number): void {
  const { pointer, job } = piece.target;
  dequantise(core, piece, raw, values, piece.rows);
  arrange(core, piece, values, pointer, { runs: 1, length: 4, packedLength: 4 });
  if (job.factor === 1 && job.offset === 0) return;
  const numbers = core.f32(pointer, piece.packedRows);
  for (let index = 0; index < numbers.length; index++) numbers[index] = (numbers[index]! + job.offset) * job.factor;
}

/** Puts a piece's rows in Hugging Face's order and all in their places among zeros. @param columns in bytes */
function arrange(core: Core, piece: Piece, source: number, target: number, columns: Axis): void {
  const { rows, interleaved } = piece.target.job;
  const [width, packedWidth] = [sizeOf(columns), packedSizeOf(columns)];
  const from = core.bytes(source, piece.rows * width);
  const to = core.bytes(target, piece.packedRows * packedWidth);
  if (to.length > from.length) to.fill(0);
  for (let row = 0; row < piece.rows; row++) {
    const inHead = row % (2 * rows.length);
    const inOrder = interleaved ? row - inHead + (inHead & 1) * rows.length + (inHead >> 1) : row;
    const place = placeOf(rows, inOrder) * packedWidth;
    packRow(from.subarray(row * width, (row + 1) * width), to.subarray(place, place + packedWidth), columns);
  }
}
