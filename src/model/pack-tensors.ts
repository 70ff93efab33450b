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
        const { ggmlType } = typeTraits[entry.type];
        await withRows(core, entry, 0, 1, entry.shape[0]!, (raw) =>
          core.kernels.dequantise(ggmlType, raw, pointer, entry.shape[0]!),
        );
      } else {
        const [rows = 0, depth = 0] = entry.shape;
        const matrix = reserveMatrix(core, entry, rows, depth, depth % 32 === 0 ? options.formOf(entry) : "f32");
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

/** Types whose blocks the 4-bit form takes as they are; the last with f32 scales. */
const fourBitTypes: ReadonlySet<TensorType> = new Set(["Q4_0", "Q4_1", "Q4_K"]);

function reserveMatrix(core: Core, entry: TensorEntry, rows: number, depth: number, form: WeightForm): Matrix {
  const wide = form === "q4" && entry.type !== "Q4_0" && entry.type !== "Q4_1";
  const pointer = core.allocate(matrixBytes({ form, wide, depth }, rows));
  return { form, wide, pointer, rows, depth, panels: panelsOf(rows) };
}

async function packMatrix(core: Core, entry: TensorEntry, matrix: Matrix, headSize: number): Promise<void> {
  const { form, pointer, rows, depth } = matrix;
  const { ggmlType } = typeTraits[entry.type];
  const { kernels } = core;
  const unit = headSize || 8;
  const step = Math.max(unit, Math.floor(STAGING_BYTES / (depth * 4 * unit)) * unit);
  for (let first = 0; first < rows; first += step) {
    const count = Math.min(step, rows - first);
    const target = pointer + matrixBytes(matrix, first);
    await withRows(core, entry, first, count, depth, (raw) => {
      if (form === "q8" && entry.type === "Q8_0") {
        kernels.packQ8Blocks(raw, count, depth, target, headSize);
      } else if (form === "q4" && fourBitTypes.has(entry.type)) {
        kernels.packQ4Blocks(ggmlType, raw, count, depth, target, headSize);
      } else {
        core.borrow(count * depth * 4, (values) => {
          kernels.dequantise(ggmlType, raw, values, count * depth);
          const pack = { f32: kernels.packF32, q8: kernels.packQ8, q4: kernels.packQ4 }[form];
          pack(values, count, depth, target, headSize);
        });
      }
    });
  }
}

/** Reads rows of `depth` values as they stand in the file, for as long as `use` runs. */
async function withRows(
  core: Core,
  entry: TensorEntry,
  first: number,
  count: number,
  depth: number,
  use: (raw: number) => void,
): Promise<void> {
  const { blockLength, blockBytes } = typeTraits[entry.type];
  if (depth % blockLength !== 0) {
    throw new FormatError(entry.source.name, `${entry.name}: rows of ${depth} are not whole blocks of ${entry.type}`);
  }
  const rowBytes = (depth / blockLength) * blockBytes;
  const raw = core.allocate(count * rowBytes);
  try {
    await entry.source.readInto(entry.byteOffset + first * rowBytes, core.bytes(raw, count * rowBytes));
    use(raw);
  } finally {
    core.free(raw);
  }
}
