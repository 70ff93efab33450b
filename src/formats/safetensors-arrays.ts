/** A safetensors file in memory as typed arrays: how capsules are read. */
import { FormatError } from "../errors.ts";
import { type HeaderEntry, headerLength, parseHeader } from "./safetensors-header.ts";

/** The tensors of a file, by name. Every array given back is a copy of its own, whatever the alignment in the file. */
export class SafetensorsArrays {
  readonly metadata: ReadonlyMap<string, string>;
  readonly #file: string;
  readonly #bytes: Uint8Array;
  readonly #entries: ReadonlyMap<string, HeaderEntry>;

  /** @throws FormatError for bytes that break any rule of the format */
  constructor(bytes: Uint8Array, file: string) {
    if (bytes.length < 8) throw new FormatError(file, "ends early: 8 bytes are needed", bytes.length);
    const header = parseHeader(file, bytes.subarray(8, 8 + headerLength(file, bytes, bytes.length)), bytes.length);
    this.metadata = header.metadata;
    this.#file = file;
    this.#bytes = bytes;
    this.#entries = new Map(header.entries.map((entry) => [entry.name, entry]));
  }

  /** In the order of the file. */
  get names(): string[] {
    return [...this.#entries.keys()];
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }

  /** Outermost first. @throws FormatError when there is no such tensor */
  shape(name: string): readonly number[] {
    return this.#entry(name).shape;
  }

  /** @throws FormatError when there is no such tensor */
  dtype(name: string): string {
    return this.#entry(name).dtype;
  }

  /** @throws FormatError when there is no such tensor, or it is not F32 */
  f32(name: string): Float32Array<ArrayBuffer> {
    return new Float32Array(this.#copy(name, "F32"));
  }

  /** @throws FormatError when there is no such tensor, or it is not I32 */
  i32(name: string): Int32Array<ArrayBuffer> {
    return new Int32Array(this.#copy(name, "I32"));
  }

  /** @throws FormatError when there is no such tensor, or it is not I8 */
  i8(name: string): Int8Array<ArrayBuffer> {
    return new Int8Array(this.#copy(name, "I8"));
  }

  /** @throws FormatError when there is no such tensor, or it is not U8 */
  u8(name: string): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#copy(name, "U8"));
  }

  #copy(name: string, dtype: string): ArrayBuffer {
    const entry = this.#entry(name);
    if (entry.dtype !== dtype) {
      throw new FormatError(this.#file, `tensor ${name} is ${entry.dtype}, not ${dtype}`, entry.byteOffset);
    }
    return this.#bytes.slice(entry.byteOffset, entry.byteOffset + entry.byteLength).buffer as ArrayBuffer;
  }

  #entry(name: string): HeaderEntry {
    const entry = this.#entries.get(name);
    if (!entry) throw new FormatError(this.#file, `has no tensor ${name}`);
    return entry;
  }
}

/**
 * @param bytes a whole file; kept, not copied
 * @param file its name, for error messages
 * @throws FormatError for bytes that break any rule of the format
 */
export function readSafetensors(bytes: Uint8Array, file = "safetensors"): SafetensorsArrays {
  // A Buffer's slice would be a view into its pool, not a copy.
  return new SafetensorsArrays(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), file);
}
