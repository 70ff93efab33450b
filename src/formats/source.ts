/** Where the bytes of a model come from: one interface over memory, Blob, stream, URL and file. */
import { FormatError, UnsupportedError } from "../errors.ts";

/** Bytes of one file, read forwards (random access where the medium allows). Reads must not overlap in time. */
export interface ByteSource {
  /** Name of the file, for error messages. */
  readonly name: string;
  /** Undefined for a stream whose length nobody told. */
  readonly byteLength: number | undefined;
  /** False: offsets must not decrease. */
  readonly seekable: boolean;
  /**
   * Fills the whole of `target`, which may be a view of a WebAssembly memory (that must not grow meanwhile).
   *
   * @throws FormatError naming the byte where the file ended, when that is too early
   * @throws UnsupportedError when the medium fails
   */
  readInto(offset: number, target: Uint8Array): Promise<void>;
  /**
   * The whole file; of a source that cannot seek, what has not been read yet.
   *
   * @throws FormatError when the file is longer than `limit` bytes
   */
  readAll(limit: number): Promise<Uint8Array<ArrayBuffer>>;
  close(): Promise<void>;
}

/** No read copies more than this at once through a buffer of its own. */
const pieceBytes = 4 << 20;

/** A file that lies in memory already. */
export function bytesSource(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    byteLength: bytes.length,
    seekable: true,
    async readInto(offset, target) {
      checkEnd(name, bytes.length, offset + target.length);
      target.set(bytes.subarray(offset, offset + target.length));
    },
    async readAll(limit) {
      checkLimit(name, bytes.length, limit);
      return new Uint8Array(bytes);
    },
    async close() {},
  };
}

/** A Blob or File, read in pieces of bounded size. */
export function blobSource(name: string, blob: Blob): ByteSource {
  return {
    name,
    byteLength: blob.size,
    seekable: true,
    async readInto(offset, target) {
      checkEnd(name, blob.size, offset + target.length);
      for (let done = 0; done < target.length; done += pieceBytes) {
        const end = Math.min(done + pieceBytes, target.length);
        target.set(await blobBytes(name, blob.slice(offset + done, offset + end)), done);
      }
    },
    async readAll(limit) {
      checkLimit(name, blob.size, limit);
      return blobBytes(name, blob);
    },
    async close() {},
  };
}

async function blobBytes(name: string, blob: Blob): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await blob.arrayBuffer());
  } catch (cause) {
    throw new UnsupportedError(`${name}: could not be read`, { cause });
  }
}

/** `source` with its first bytes, which have been read already, put back before it. */
export function withPrefix(prefix: Uint8Array, source: ByteSource): ByteSource {
  if (source.seekable) return source;
  return {
    name: source.name,
    byteLength: source.byteLength,
    seekable: false,
    async readInto(offset, target) {
      const fromPrefix = prefix.subarray(offset, offset + target.length);
      target.set(fromPrefix);
      if (fromPrefix.length < target.length) {
        await source.readInto(offset + fromPrefix.length, target.subarray(fromPrefix.length));
      }
    },
    async readAll(limit) {
      const rest = await source.readAll(limit);
      const whole = new Uint8Array(prefix.length + rest.length);
      whole.set(prefix);
      whole.set(rest, prefix.length);
      return whole;
    },
    close: () => source.close(),
  };
}

/**
 * `byteLength` bytes from `offset`. A length that the file only claims costs no memory beyond what really arrives.
 *
 * @throws FormatError where the file ends too early
 */
export async function readBytes(
  source: ByteSource,
  offset: number,
  byteLength: number,
): Promise<Uint8Array<ArrayBuffer>> {
  if (source.byteLength !== undefined) checkEnd(source.name, source.byteLength, offset + byteLength);
  let bytes = new Uint8Array(Math.min(byteLength, source.byteLength === undefined ? 1 << 16 : byteLength));
  await source.readInto(offset, bytes);
  while (bytes.length < byteLength) {
    const longer = new Uint8Array(Math.min(byteLength, bytes.length * 2));
    longer.set(bytes);
    await source.readInto(offset + bytes.length, longer.subarray(bytes.length));
    bytes = longer;
  }
  return bytes;
}

/** @throws FormatError when the file ends before byte `end` */
export function checkEnd(name: string, byteLength: number, end: number): void {
  if (end > byteLength) throw new FormatError(name, `ends early: ${end} bytes are needed`, byteLength);
}

/** @throws FormatError when a file to be read whole is longer than `limit` */
export function checkLimit(name: string, byteLength: number, limit: number): void {
  if (byteLength > limit) throw new FormatError(name, `is longer than the ${limit} bytes that it may have`, limit);
}
