/** Small GGUF and safetensors files, right or wrong, and streams of them. */
import { FormatError } from "../../src/errors.ts";
import { bytesSource } from "../../src/formats/source.ts";
import type { TensorFile } from "../../src/formats/tensor-file.ts";

export * from "../../tools/gguf-write.ts";

/** A stream of `bytes` in pieces of 0 to 2 · `meanLength` bytes. */
export function choppedStream(bytes: Uint8Array, meanLength: number, random: () => number): ReadableStream<Uint8Array> {
  let offset = 0;
  return new ReadableStream({
    pull(controller) {
      const end = offset + Math.floor(random() * (2 * meanLength + 1));
      controller.enqueue(bytes.slice(offset, end));
      offset = end;
      if (offset >= bytes.length) controller.close();
    },
  });
}

/** Bytes of every tensor, read in order. */
export async function readTensors(file: TensorFile): Promise<Map<string, Uint8Array>> {
  const read = new Map<string, Uint8Array>();
  for (const { name, source, byteOffset, byteLength } of file.tensors) {
    const bytes = new Uint8Array(byteLength);
    await source.readInto(byteOffset, bytes);
    read.set(name, bytes);
  }
  return read;
}

/** The error that `run` ends in, which must be a FormatError with a place. */
export async function formatFault(run: () => unknown): Promise<FormatError> {
  try {
    await run();
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
  throw new Error("no error was thrown");
}

/** A safetensors file around whatever header. */
export function makeSafetensors(header: unknown, dataBytes: number): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + dataBytes);
  new DataView(file.buffer).setUint32(0, json.length, true);
  file.set(json, 8);
  for (let index = 0; index < dataBytes; index++) file[8 + json.length + index] = index * 7;
  return file;
}

/** A source that cannot seek, over bytes whose number it does not tell. */
export function unmeasured(name: string, bytes: Uint8Array) {
  return { ...bytesSource(name, bytes), byteLength: undefined, seekable: false };
}
