/** GGUF files from values and tensors; the tests make damaged ones with it too. */

/** Little-endian bytes of a file to be made. */
class Writer {
  readonly bytes: number[] = [];

  u32(value: number): this {
    this.bytes.push(...new Uint8Array(new Uint32Array([value]).buffer));
    return this;
  }

  u64(value: number | bigint): this {
    this.bytes.push(...new Uint8Array(new BigUint64Array([BigInt(value)]).buffer));
    return this;
  }

  text(value: string): this {
    const bytes = new TextEncoder().encode(value);
    this.u64(bytes.length);
    for (const byte of bytes) this.bytes.push(byte);
    return this;
  }
}

/** A value as GGUF stores it: its type and its bytes. */
export type GgufValue = { type: number; write: (writer: Writer) => void };

export const u32 = (value: number): GgufValue => ({ type: 4, write: (writer) => writer.u32(value) });
export const f32 = (value: number): GgufValue => ({
  type: 6,
  write: (writer) => writer.u32(new Uint32Array(Float32Array.of(value).buffer)[0]!),
});
export const text = (value: string): GgufValue => ({ type: 8, write: (writer) => writer.text(value) });
export const array = (type: number, items: readonly GgufValue[], claimed = items.length): GgufValue => ({
  type: 9,
  write(writer) {
    writer.u32(type).u64(claimed);
    for (const item of items) item.write(writer);
  },
});

/** A GGUF file to be made, right or wrong. */
export interface GgufPlan {
  magic?: string;
  version?: number;
  keys?: [string, GgufValue][];
  /** Innermost dimension first, as in the file. */
  tensors?: { name: string; dimensions: (number | bigint)[]; type: number; offset: number | bigint }[];
  tensorCount?: number | bigint;
  keyCount?: number | bigint;
  alignment?: number;
  dataBytes?: number;
  /** What the tensors hold; without it `dataBytes` made up. */
  data?: Uint8Array;
}

export function makeGguf(plan: GgufPlan): Uint8Array<ArrayBuffer> {
  const { magic = "GGUF", version = 3, keys = [], tensors = [], alignment = 32, data } = plan;
  const dataBytes = data?.length ?? plan.dataBytes ?? 0;
  const writer = new Writer();
  writer.bytes.push(...new TextEncoder().encode(magic));
  writer
    .u32(version)
    .u64(plan.tensorCount ?? tensors.length)
    .u64(plan.keyCount ?? keys.length);
  for (const [key, value] of keys) {
    writer.text(key).u32(value.type);
    value.write(writer);
  }
  for (const { name, dimensions, type, offset } of tensors) {
    writer.text(name).u32(dimensions.length);
    for (const length of dimensions) writer.u64(length);
    writer.u32(type).u64(offset);
  }
  const dataStart = Math.ceil(writer.bytes.length / alignment) * alignment;
  const file = new Uint8Array(dataStart + dataBytes);
  file.set(writer.bytes);
  if (data) file.set(data, dataStart);
  else for (let index = 0; index < dataBytes; index++) file[dataStart + index] = index * 7;
  return file;
}
