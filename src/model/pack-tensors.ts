/** Streams a file's tensors into the core's memory, packing each a few rows at a time: no second copy of a model is ever held. */
import type { Core } from "../core/core.ts";
import { FormatError } from "../errors.ts";
import type { TensorEntry } from "../formats/tensor-file.ts";
import { typeTraits } from "../formats/tensor-types.ts";
import { freeTensors, type Matrix, matrixBytes, type PackedTensors, type WeightForm } from "./weights.ts";

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

/**
 * Packs tensors in the order given, which should be that of the file.
 * @throws FormatError when the file ends early; what the signal gives when aborted; nothing stays allocated then
 */
export async function packTensors(core: Core, jobs: readonly PackJob[], options: PackOptions): Promise<PackedTensors> {
  const matrices = new Map<string, Matrix>();
  const vectors = new Map<string, number>();
  let bytes = 0;
  try {
    for (const { name, entry, interleavedHeadSize } of jobs) {
      options.signal?.throwIfAborted();
      if (entry.shape.length === 1) {
        const pointer = core.allocate(entry.shape[0]! * 4);
        vectors.set(name, pointer);
        await readRows(core, entry, 0, 1, entry.shape[0]!, pointer);
      } else {
        const [rows = 0, depth = 0] = entry.shape;
        const form = depth % 32 === 0 ? options.formOf(entry) : "f32";
        const matrix = { form, pointer: core.allocate(matrixBytes(form, rows, depth)), rows, depth };
        matrices.set(name, matrix);
        await packMatrix(core, entry, matrix, interleavedHeadSize);
      }
      bytes += entry.byteLength;
      options.onBytes(bytes);
    }
    return { matrices, vectors };
  } catch (error) {
    freeTensors(core, { matrices, vectors });
    throw error;
  }
}

async function packMatrix(core: Core, entry: TensorEntry, matrix: Matrix, headSize: number): Promise<void> {
  const { form, pointer, rows, depth } = matrix;
  const unit = headSize || 8;
  const step = Math.max(unit, Math.floor(STAGING_BYTES / (depth * 4 * unit)) * unit);
  const staging = core.allocate(Math.min(step, rows) * depth * 4);
  const pack = form === "f32" ? core.kernels.packF32 : core.kernels.packQ8;
  try {
    for (let first = 0; first < rows; first += step) {
      const count = Math.min(step, rows - first);
      await readRows(core, entry, first, count, depth, staging);
      pack(staging, count, depth, pointer + matrixBytes(form, first, depth), headSize);
    }
  } finally {
    core.free(staging);
  }
}

/** Reads rows of `depth` values as f32. */
async function readRows(
  core: Core,
  entry: TensorEntry,
  first: number,
  count: number,
  depth: number,
  target: number,
): Promise<void> {
  const { ggmlType, blockLength, blockBytes } = typeTraits[entry.type];
  if (depth % blockLength !== 0) {
    throw new FormatError(entry.source.name, `${entry.name}: rows of ${depth} are not whole blocks of ${entry.type}`);
  }
  const rowBytes = (depth / blockLength) * blockBytes;
  const raw = core.allocate(count * rowBytes);
  try {
    await entry.source.readInto(entry.byteOffset + first * rowBytes, core.bytes(raw, count * rowBytes));
    core.kernels.dequantise(ggmlType, raw, target, count * depth);
  } finally {
    core.free(raw);
  }
}
