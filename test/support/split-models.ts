/** Tiny models in several files: a GGUF in three parts, and safetensors in two shards with their index. */
import { writeSafetensors } from "../../src/formats/safetensors-write.ts";
import { type GgufValue, u32 } from "./files.ts";
import { ggufKeys, ggufTensors, type TinyModel, tinyFolder, writeGguf } from "./tiny-model.ts";

/** The name of part `index`, from 0 on. */
export const partName = (index: number, count = 3) =>
  `tiny-${String(index + 1).padStart(5, "0")}-of-${String(count).padStart(5, "0")}.gguf`;

/** Part `index` of 3: the first has the metadata, and all say which they are. @param tensors those of the model that are in it */
export function ggufPart(
  model: TinyModel,
  index: number,
  tensors = [...ggufTensors(model)].slice(index * 7, index < 2 ? (index + 1) * 7 : undefined),
  keys: Readonly<Record<string, GgufValue | undefined>> = {},
): Uint8Array<ArrayBuffer> {
  return writeGguf(
    {
      ...(index === 0 ? ggufKeys(model) : {}),
      "split.no": u32(index),
      "split.count": u32(3),
      "split.tensors.count": u32(ggufTensors(model).size),
      ...keys,
    },
    Object.fromEntries(tensors),
  );
}

/** All parts by name. */
export function ggufParts(model: TinyModel): Record<string, Uint8Array<ArrayBuffer>> {
  return Object.fromEntries([0, 1, 2].map((index) => [partName(index), ggufPart(model, index)]));
}

/** The model's folder with its weights in two shards. */
export function shardedFolder(model: TinyModel): Record<string, Uint8Array<ArrayBuffer>> {
  const { "model.safetensors": _, ...others } = tinyFolder(model);
  const tensors = [...model.tensors].map(
    ([name, { shape, values }]) => [name, { dtype: "F32" as const, shape: [...shape], data: values }] as const,
  );
  const shards = [tensors.slice(0, 9), tensors.slice(9)];
  const nameOf = (index: number) => `model-0000${index + 1}-of-00002.safetensors`;
  const map = Object.fromEntries(shards.flatMap((shard, index) => shard.map(([name]) => [name, nameOf(index)])));
  return {
    ...others,
    "model.safetensors.index.json": new TextEncoder().encode(JSON.stringify({ metadata: {}, weight_map: map })),
    ...Object.fromEntries(shards.map((shard, index) => [nameOf(index), writeSafetensors(Object.fromEntries(shard))])),
  };
}
