/** Models in safetensors files, one or several with an index: https://github.com/huggingface/safetensors */
import { FormatError } from "../errors.ts";
import { checkFileName, type FileSet, readText } from "./file-set.ts";
import { headerLength, parseHeader } from "./safetensors-header.ts";
import { type ByteSource, readBytes } from "./source.ts";
import { closingOnError, type TensorEntry, type TensorFile } from "./tensor-file.ts";
import type { TensorType } from "./tensor-types.ts";

const weightTypes: ReadonlySet<string> = new Set<TensorType>(["F32", "F16", "BF16"]);
/** Tables and masks that some models save beside their weights, and that no decoder needs. */
const bufferTypes: ReadonlySet<string> = new Set(["BOOL", "U8", "I8", "I16", "U16", "I32", "U32", "I64", "U64"]);

/**
 * Tensors of whole numbers are checked like all others, but left out of `tensors`.
 *
 * @param source becomes the file's: closed with it, and when this throws
 * @throws FormatError for a file that breaks any rule of the format, or with weights of another type than F32, F16, BF16
 */
export async function openSafetensors(source: ByteSource): Promise<TensorFile> {
  const { tensors, metadata } = await closingOnError([source], () => readHeader(source));
  return { tensors, metadata, close: () => source.close() };
}

async function readHeader(source: ByteSource) {
  const { name: file, byteLength } = source;
  const length = headerLength(file, await readBytes(source, 0, 8), byteLength);
  const { entries, metadata } = parseHeader(file, await readBytes(source, 8, length), byteLength);
  const tensors: TensorEntry[] = [];
  for (const { dtype, ...entry } of entries) {
    if (weightTypes.has(dtype)) tensors.push({ ...entry, type: dtype as TensorType, source });
    else if (!bufferTypes.has(dtype)) {
      throw new FormatError(file, `tensor ${entry.name} is of type ${dtype}, which is not supported`, entry.byteOffset);
    }
  }
  return { tensors, metadata, names: new Set(entries.map(({ name }) => name)) };
}

const singleFile = "model.safetensors";
const indexFile = "model.safetensors.index.json";

/**
 * `model.safetensors`, or else the files that `model.safetensors.index.json` names, as one. Metadata is the index's or
 * the single file's.
 *
 * @throws FormatError when neither is there, a file is missing or malformed, or the index and the files disagree
 */
export async function openSafetensorsIndex(files: FileSet): Promise<TensorFile> {
  const single = await files.open(singleFile);
  if (single) return openSafetensors(single);
  const index = await readText(files, indexFile);
  if (index === undefined) throw new FormatError(singleFile, `is missing, and so is ${indexFile}`);
  const shardOf = parseIndex(index);
  const sources: ByteSource[] = [];
  return closingOnError(sources, async () => {
    const tensors: TensorEntry[] = [];
    for (const shard of [...new Set(shardOf.values())].sort()) {
      const source = await files.open(shard);
      if (!source) throw new FormatError(shard, `is missing, but ${indexFile} names it`);
      sources.push(source);
      const header = await readHeader(source);
      for (const [name, itsShard] of shardOf) {
        if (itsShard === shard && !header.names.has(name)) {
          throw new FormatError(shard, `lacks the tensor ${name}, which ${indexFile} says it has`);
        }
      }
      for (const name of header.names) {
        const itsShard = shardOf.get(name) ?? shard;
        if (itsShard !== shard) throw new FormatError(shard, `has a tensor ${name}, and so has ${itsShard}`);
        shardOf.set(name, shard);
      }
      tensors.push(...header.tensors);
    }
    return {
      tensors,
      metadata: new Map(),
      async close() {
        await Promise.all(sources.map((source) => source.close()));
      },
    };
  });
}

/** The file of each tensor. */
function parseIndex(json: string): Map<string, string> {
  try {
    const shardOf = new Map(Object.entries(JSON.parse(json).weight_map as Record<string, string>));
    for (const shard of shardOf.values()) checkFileName(shard);
    return shardOf;
  } catch {
    throw new FormatError(indexFile, "is not a JSON object with a weight_map from tensors to files in its folder");
  }
}
