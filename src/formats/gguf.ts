/** Models in GGUF files, decoded by @huggingface/gguf on every runtime alike. Specification: ggml's docs/gguf.md */
import { type GGUFParseOutput, gguf } from "@huggingface/gguf";
import { FormatError } from "../errors.ts";
import { show } from "../show.ts";
import { joinParts, type Siblings } from "./gguf-parts.ts";
import { type GgufLayout, walkHeader } from "./gguf-walk.ts";
import type { ByteSource } from "./source.ts";
import { closingOnError, type MetadataValue, type TensorEntry, type TensorFile } from "./tensor-file.ts";
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
    const layout = await walkHeader(source);
    const parsed = await decode(source.name, layout);
    const metadata = collectMetadata(parsed, layout);
    const alignment = readAlignment(source.name, metadata, layout);
    const dataStart = Math.ceil(layout.byteLength / alignment) * alignment;
    const tensors = parsed.tensorInfos.map((info, index) =>
      placeTensor(source, info, { at: layout.tensorOffsets[index]!, dataStart, alignment }),
    );
    checkNames(tensors, layout);
    tensors.sort((a, b) => a.byteOffset - b.byteOffset);
    checkOverlap(tensors);
    return { tensors, metadata, close: () => source.close() };
  });
}

/** The parser fetches ranges of a URL; it gets those of the header, which is known to be whole. */
async function decode(file: string, { bytes, keys }: GgufLayout): Promise<GGUFParseOutput<{ strict: false }>> {
  const fetchHeader: typeof fetch = async (_url, init) => {
    const [, first, last] = /(\d+)-(\d+)/.exec(new Headers(init?.headers).get("range")!)!;
    return new Response(bytes.subarray(Number(first), Number(last) + 1));
  };
  try {
    return await gguf("https://header.invalid/model.gguf", { fetch: fetchHeader });
  } catch (error) {
    // Of what the walk lets through, the parser refuses an alignment that is no whole number.
    throw new FormatError(file, (error as Error).message, keys.get("general.alignment"));
  }
}

/** A map, which no key of a file can turn into something else; without the entries that the parser adds. */
function collectMetadata(parsed: GGUFParseOutput<{ strict: false }>, layout: GgufLayout): Map<string, MetadataValue> {
  const decoded = parsed.metadata as Record<string, MetadataValue>;
  for (const { path, text } of layout.misread) {
    // biome-ignore lint/suspicious/noExplicitAny: arrays in arrays, as deep as the path is long
    const holder: any = path.slice(0, -1).reduce((value: any, step) => value[step], decoded);
    holder[path.at(-1)!] = text;
  }
  return new Map([...layout.keys.keys()].map((key) => [key, layout.lists.get(key) ?? decoded[key]!]));
}

function readAlignment(file: string, metadata: Map<string, MetadataValue>, { keys }: GgufLayout): number {
  const given = metadata.get("general.alignment") ?? 32;
  const alignment = typeof given === "number" || typeof given === "bigint" ? Number(given) : 0;
  if (alignment < 8 || alignment > 2 ** 30 || !Number.isInteger(Math.log2(alignment))) {
    throw new FormatError(
      file,
      `is aligned to ${show(given)}, not to a power of two from 8 on`,
      keys.get("general.alignment"),
    );
  }
  return alignment;
}

/** `at`: where the tensor's description lies. */
function placeTensor(
  source: ByteSource,
  info: GGUFParseOutput["tensorInfos"][number],
  { at, dataStart, alignment }: { at: number; dataStart: number; alignment: number },
): TensorEntry {
  const fail = (fault: string, byte = at) => new FormatError(source.name, `tensor ${info.name} ${fault}`, byte);
  const type = ggmlTypes.get(info.dtype);
  if (!type) throw fail(`is of the unknown type ${info.dtype}`);
  const { blockLength, blockBytes } = type;
  const shape = info.shape.map(Number).reverse();
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

/** Tensors in the order of their descriptions. */
function checkNames(tensors: readonly TensorEntry[], { tensorOffsets }: GgufLayout): void {
  const names = new Set<string>();
  for (const [index, { name, source }] of tensors.entries()) {
    if (names.has(name)) throw new FormatError(source.name, `has two tensors called ${name}`, tensorOffsets[index]);
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
