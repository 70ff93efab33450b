/** Models in safetensors files, one or several with an index: https://github.com/huggingface/safetensors */
import { FormatError } from "../errors.ts";
import { show } from "../show.ts";
import { type FileSet, isFileName, readText } from "./file-set.ts";
import { headerLength, parseHeader } from "./safetensors-header.ts";
import { type ByteSource, readBytes } from "./source.ts";
import { closingOnError, type TensorEntry, type TensorFile } from "./tensor-file.ts";

/**
 * @param source becomes the file's: closed with it, and when this throws
 * @throws FormatError for a file that breaks any rule of the format
 */
export async function openSafetensors(source: ByteSource): Promise<TensorFile> {
  const { tensors, metadata } = await closingOnError([source], () => readHeader(source));
  return { tensors, metadata, close: () => source.close() };
}

async function readHeader(source: ByteSource) {
  const { name: file, byteLength } = source;
  const length = headerLength(file, await readBytes(source, 0, 8), byteLength);
  const { entries, metadata } = parseHeader(file, await readBytes(source, 8, length), byteLength);
  const tensors = entries.map(({ dtype, ...entry }): TensorEntry => ({ ...entry, type: dtype, source }));
  return { tensors, metadata };
}

export const singleFile = "model.safetensors";
export const indexFile = "model.safetensors.index.json";

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
      const names = new Set(header.tensors.map(({ name }) => name));
      for (const [name, itsShard] of shardOf) {
        if (itsShard === shard && !names.has(name)) {
          throw new FormatError(shard, `lacks the tensor ${name}, which ${indexFile} says it has`);
        }
      }
      for (const name of names) {
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

/** The file of each tensor, as an index says. @throws FormatError */
export function parseIndex(json: string): Map<string, string> {
  let parsed: unknown;
  try {
    parsed = JSON.parse(json);
  } catch {
    throw new FormatError(indexFile, "is not JSON");
  }
  const { weight_map: map } = Object(parsed) as { weight_map?: unknown };
  if (typeof map !== "object" || map === null || Array.isArray(map)) {
    throw new FormatError(indexFile, `should have a weight_map, an object, and has ${show(map)}`);
  }
  const shardOf = new Map(Object.entries(map as Record<string, unknown>));
  for (const [name, shard] of shardOf) {
    if (!isFileName(shard)) {
      throw new FormatError(indexFile, `puts ${name} into ${show(shard)}, which is no file in its folder (weight_map)`);
    }
  }
  return shardOf as Map<string, string>;
}
