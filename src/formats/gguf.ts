/** Models in GGUF files. Specification: ggml's docs/gguf.md */
import { FormatError } from "../errors.ts";
import { show } from "../show.ts";
import { joinParts, type Siblings } from "./gguf-parts.ts";
import { type GgufHeader, type GgufTensor, walkHeader } from "./gguf-walk.ts";
import type { ByteSource } from "./source.ts";
import { closingOnError, type TensorEntry, type TensorFile } from "./tensor-file.ts";
import { ggmlTypes, valuesIn } from "./tensor-types.ts";

/**
 * Versions 2 and 3, little-endian, in one file or in parts.
 *
 * @param source becomes the file's: closed with it, and when this throws
 * @param siblings where the other parts lie, if the file is the first of several
 * @throws FormatError for a file that breaks any rule of the format, or with tensors of a type that ggml does not know
 */
export async function openGguf(source: ByteSource, siblings?: Siblings): Promise<TensorFile> {
  return joinParts(await openPart(source), source.name, siblings, openPart);
}

async function openPart(source: ByteSource): Promise<TensorFile> {
  return closingOnError([source], async () => {
    const header = await walkHeader(source);
    const alignment = readAlignment(source.name, header);
    const dataStart = Math.ceil(header.byteLength / alignment) * alignment;
    checkNames(source.name, header.tensors);
    const tensors = header.tensors.map((info) => placeTensor(source, info, dataStart, alignment));
    tensors.sort((a, b) => a.byteOffset - b.byteOffset);
    checkOverlap(tensors);
    return { tensors, metadata: header.metadata, close: () => source.close() };
  });
}

function readAlignment(file: string, { metadata, keys }: GgufHeader): number {
  const given = metadata.get("general.alignment") ?? 32;
  const alignment = typeof given === "number" || typeof given === "bigint" ? Number(given) : 0;
  if (alignment < 8 || alignment > 2 ** 30 || !Number.isInteger(Math.log2(alignment))) {
    throw new FormatError(
      file,
      `is aligned to ${show(given)} by general.alignment, not to a power of two from 8 on`,
      keys.get("general.alignment"),
    );
  }
  return alignment;
}

function placeTensor(source: ByteSource, info: GgufTensor, dataStart: number, alignment: number): TensorEntry {
  const fail = (fault: string, byte = info.at) => new FormatError(source.name, `tensor ${info.name} ${fault}`, byte);
  const type = ggmlTypes.get(info.type);
  if (!type) throw fail(`is of the unknown type ${info.type}`);
  const { blockLength, blockBytes } = type;
  const shape = [...info.dimensions].reverse();
  const byteLength = ((valuesIn(shape) ?? Number.NaN) / blockLength) * blockBytes;
  if (!Number.isSafeInteger(byteLength)) throw fail(`has the impossible shape [${shape}]`);
  if ((shape.at(-1) ?? 1) % blockLength)
    throw fail(`has rows of ${shape.at(-1)} values, no multiple of ${blockLength}`);
  if (info.offset % BigInt(alignment)) throw fail(`lies at ${info.offset}, which is not aligned to ${alignment}`);
  const byteOffset = dataStart + Number(info.offset);
  const end = byteOffset + byteLength;
  if (!Number.isSafeInteger(end)) throw fail(`lies at ${info.offset}, beyond any file`);
  if (source.byteLength !== undefined && end > source.byteLength) {
    throw fail(`ends at byte ${end}: the file ends early`, source.byteLength);
  }
  return { name: info.name, type: type.name, shape, byteOffset, byteLength, source };
}

function checkNames(file: string, tensors: readonly GgufTensor[]): void {
  const names = new Set<string>();
  for (const { name, at } of tensors) {
    if (names.has(name)) throw new FormatError(file, `has two tensors called ${name}`, at);
    names.add(name);
  }
}

/** Tensors in the order of their bytes. */
function checkOverlap(tensors: readonly TensorEntry[]): void {
  let end = 0;
  for (const { name, source, byteOffset, byteLength } of tensors) {
    if (byteOffset < end) throw new FormatError(source.name, `tensor ${name} overlaps the one before it`, byteOffset);
    end = byteOffset + byteLength;
  }
}
