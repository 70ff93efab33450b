/** Streams a file's tensors into the core's memory, packing each a few rows at a time: no second copy of a model is ever held. */
import type { Core } from "../core/core.ts";
import { FormatError } from "../errors.ts";
import type { TensorEntry } from "../formats/tensor-file.ts";
import { type TensorType, typeTraits } from "../formats/tensor-types.ts";
import { freeTensors, type Matrix, matrixBytes, type PackedTensors, panelsOf, type WeightForm } from "./weights.ts";

/** A tensor to be packed. */
export interface PackJob {
  /** Canonical name. */
  readonly name: string;
  readonly entry: TensorEntry;
  /** Heads whose rows stand in llama.cpp's interleaved order, or 0. */
  readonly interleavedHeadSize: number;
}

/** How tensors are packed. */
export interface PackOptions {
  /** The form wanted for a matrix of this type. */
  readonly formOf: (entry: TensorEntry) => WeightForm;
  /** Hears the bytes of tensors packed so far. */
  readonly onBytes: (bytes: number) => void;
  readonly signal: AbortSignal | undefined;
}

/** Rows are staged as f32 in at most so many bytes (or one panel, or one head, whichever is more). */
const STAGING_BYTES = 2 << 20;

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
  readonly firstRow: number;
  readonly rows: number;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/**
 * Packs tensors in the order given, which should be that of the file. While a piece is packed the next one is read.
 * @throws FormatError when the file ends early; what the signal gives when aborted; nothing stays allocated then
 */
export async function packTensors(core: Core, jobs: readonly PackJob[], options: PackOptions): Promise<PackedTensors> {
  const layouts = jobs.map(({ entry }) => (entry.shape.length === 1 ? undefined : layoutOf(entry, options.formOf)));
  const sizes = jobs.map(({ entry }, index) => {
    const [rows = 0] = entry.shape;
    return layouts[index] ? matrixBytes(layouts[index], rows) : rows * 4;
  });
  core.reserve(sizes.reduce((sum, size) => sum + size, 3 * STAGING_BYTES));
  const targets: Target[] = [];
  const staging: number[] = [];
  try {
    // Everything is allocated before the first read: growing the memory would pull it away from under a read.
    for (const [index, job] of jobs.entries()) {
      const pointer = core.allocate(sizes[index]!);
      const [rows = 0] = job.entry.shape;
      const layout = layouts[index];
      targets.push({ job, pointer, matrix: layout && { ...layout, pointer, rows, panels: panelsOf(rows) } });
    }
    const pieces = targets.flatMap(cut);
    const largest = (size: (piece: Piece) => number) => pieces.reduce((most, piece) => Math.max(most, size(piece)), 1);
    for (let i = 0; i < 2; i++) staging.push(core.allocate(largest(({ byteLength }) => byteLength)));
    staging.push(core.allocate(largest(valueBytes)));
    await packPieces(core, pieces, staging, options);
    return gather(targets);
  } catch (error) {
    freeTensors(core, gather(targets));
    throw error;
  } finally {
    for (const pointer of staging) core.free(pointer);
  }
}

/** `staging`: two places for a piece as it stands in the file, one for its values as f32. */
async function packPieces(core: Core, pieces: readonly Piece[], staging: readonly number[], options: PackOptions) {
  const read = (index: number) => {
    const { target, byteOffset, byteLength } = pieces[index]!;
    return target.job.entry.source.readInto(byteOffset, core.bytes(staging[index % 2]!, byteLength));
  };
  let bytes = 0;
  let reading = pieces.length ? read(0) : undefined;
  try {
    for (const [index, piece] of pieces.entries()) {
      await reading;
      options.signal?.throwIfAborted();
      reading = index + 1 < pieces.length ? read(index + 1) : undefined;
      // A read that fails while this thread packs is heard of in the next round.
      reading?.catch(() => {});
      pack(core, piece, staging[index % 2]!, staging[2]!);
      bytes += piece.byteLength;
      options.onBytes(bytes);
    }
  } finally {
    // Its target is about to be freed.
    await reading?.catch(() => {});
  }
}

function gather(targets: readonly Target[]): PackedTensors {
  const matrices = new Map<string, Matrix>();
  const vectors = new Map<string, number>();
  for (const { job, pointer, matrix } of targets) {
    if (matrix) matrices.set(job.name, matrix);
    else vectors.set(job.name, pointer);
  }
  return { matrices, vectors };
}

/** Types whose blocks the 4-bit form takes as they are; the last with f32 scales. */
const fourBitTypes: ReadonlySet<TensorType> = new Set(["Q4_0", "Q4_1", "Q4_K"]);

/** How a matrix is to be held. */
function layoutOf(entry: TensorEntry, formOf: PackOptions["formOf"]): Pick<Matrix, "form" | "wide" | "depth"> {
  const [, depth = 0] = entry.shape;
  const form = depth % 32 === 0 ? formOf(entry) : "f32";
  return { form, wide: form === "q4" && entry.type !== "Q4_0" && entry.type !== "Q4_1", depth };
}

/** Pieces of whole panels, and of whole heads where rows change places within one. */
function cut(target: Target): Piece[] {
  const { entry, interleavedHeadSize } = target.job;
  const [rows, depth] = target.matrix ? [target.matrix.rows, target.matrix.depth] : [1, entry.shape[0]!];
  const { blockLength, blockBytes } = typeTraits[entry.type];
  if (depth % blockLength !== 0) {
    throw new FormatError(entry.source.name, `${entry.name}: rows of ${depth} are not whole blocks of ${entry.type}`);
  }
  const rowBytes = (depth / blockLength) * blockBytes;
  const unit = interleavedHeadSize || 8;
  const step = Math.max(unit, Math.floor(STAGING_BYTES / (depth * 4 * unit)) * unit);
  return Array.from({ length: Math.ceil(rows / step) }, (_, index) => {
    const firstRow = index * step;
    const count = Math.min(step, rows - firstRow);
    const byteOffset = entry.byteOffset + firstRow * rowBytes;
    return { target, firstRow, rows: count, byteOffset, byteLength: count * rowBytes };
  });
}

/** Whether a piece is packed from its blocks as they are, without a detour through f32. */
function keepsBlocks({ target: { job, matrix } }: Piece): boolean {
  const { type } = job.entry;
  return (matrix?.form === "q8" && type === "Q8_0") || (matrix?.form === "q4" && fourBitTypes.has(type));
}

/** Bytes of a piece's values as f32, where it takes that detour. */
function valueBytes(piece: Piece): number {
  return piece.target.matrix && !keepsBlocks(piece) ? piece.rows * piece.target.matrix.depth * 4 : 0;
}

/** Packs a piece. @param raw its bytes as they stand in the file @param values room for it as f32 */
function pack({ kernels }: Core, piece: Piece, raw: number, values: number): void {
  const { target, firstRow, rows } = piece;
  const { entry, interleavedHeadSize } = target.job;
  const { ggmlType } = typeTraits[entry.type];
  if (!target.matrix) {
    kernels.dequantise(ggmlType, raw, target.pointer, entry.shape[0]!);
    return;
  }
  const { form, depth } = target.matrix;
  const place = target.pointer + matrixBytes(target.matrix, firstRow);
  if (keepsBlocks(piece)) {
    if (form === "q8") kernels.packQ8Blocks(raw, rows, depth, place, interleavedHeadSize);
    else kernels.packQ4Blocks(ggmlType, raw, rows, depth, place, interleavedHeadSize);
    return;
  }
  kernels.dequantise(ggmlType, raw, values, rows * depth);
  const packValues = { f32: kernels.packF32, q8: kernels.packQ8, q4: kernels.packQ4 }[form];
  packValues(values, rows, depth, place, interleavedHeadSize);
}
