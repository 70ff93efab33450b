/** Typed arrays as a safetensors file: how capsules are written. */
import { ShapeError } from "../errors.ts";
import { valueBytes } from "./safetensors-header.ts";
import { valuesIn } from "./tensor-types.ts";

/** A tensor to be written. */
export interface TensorData {
  readonly dtype: "F32" | "I32" | "U32" | "I64" | "I8" | "U8" | "F16" | "BF16";
  /** Outermost first. */
  readonly shape: readonly number[];
  /** The values, or the bytes of types that JavaScript has no array for. */
  readonly data: ArrayBufferView;
}

/**
 * Every tensor lies at a multiple of its value's size, counted from the start of the result.
 *
 * @throws ShapeError when data and shape differ in length
 */
export function writeSafetensors(
  tensors: Readonly<Record<string, TensorData>>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  // The format allows no gaps, so the widest values come first.
  const ordered = Object.entries(tensors).sort(([, a], [, b]) => valueBytes.get(b.dtype)! - valueBytes.get(a.dtype)!);
  const entries: [string, unknown][] = [];
  if (Object.keys(metadata).length) entries.push(["__metadata__", metadata]);
  let dataBytes = 0;
  for (const [name, { dtype, shape, data }] of ordered) {
    if (data.byteLength !== valuesIn(shape)! * valueBytes.get(dtype)!) {
      throw new ShapeError(`${name}: ${data.byteLength} bytes are not a ${dtype} of shape [${shape}]`);
    }
    entries.push([name, { dtype, shape, data_offsets: [dataBytes, dataBytes + data.byteLength] }]);
    dataBytes += data.byteLength;
  }
  const header = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const headerBytes = Math.ceil(header.length / 8) * 8;
  const file = new Uint8Array(8 + headerBytes + dataBytes);
  new DataView(file.buffer).setUint32(0, headerBytes, true);
  file.set(header, 8);
  file.fill(0x20, 8 + header.length, 8 + headerBytes);
  let offset = 8 + headerBytes;
  for (const [, { data }] of ordered) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), offset);
    offset += data.byteLength;
  }
  return file;
}
