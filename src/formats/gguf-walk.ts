/** A strict walk over a GGUF header: every length is checked before what it measures is read. Specification: ggml's docs/gguf.md */
import { FormatError } from "../errors.ts";
import { show } from "../show.ts";
import type { ByteSource } from "./source.ts";
import type { MetadataValue } from "./tensor-file.ts";

/** What a header says. */
export interface GgufHeader {
  /** Bytes from the start of the file to the end of the last tensor's description. */
  readonly byteLength: number;
  /** A map, which no key of a file can turn into something else. 64-bit integers are bigints. */
  readonly metadata: ReadonlyMap<string, MetadataValue>;
  /** Where each metadata key lies. */
  readonly keys: ReadonlyMap<string, number>;
  readonly tensors: readonly GgufTensor[];
}

/** A tensor's description. */
export interface GgufTensor {
  /** Where it lies. */
  readonly at: number;
  readonly name: string;
  /** Innermost first. */
  readonly dimensions: readonly number[];
  /** Its type's number in ggml.h. */
  readonly type: number;
  /** From the start of the tensors' bytes. */
  readonly offset: bigint;
}

/** Beyond what any model has. */
const limits = {
  header: 48_000_000,
  keys: 100_000,
  tensors: 100_000,
  string: 10_000_000,
  array: 1_000_000,
  depth: 4,
  dimension: 2 ** 32,
};
const longestName = 65_535;
/** The least that an entry takes: a key without letters and a byte; a tensor without letters or dimensions. */
const leastKeyBytes = 13;
const leastTensorBytes = 24;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const stringType = 8;
const arrayType = 9;
/** Bytes of a value by type; 0 for those that say so themselves. */
const valueBytes = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];
/** A value of one of the types with a size, by type. */
const readers: readonly ((view: DataView, at: number) => number | bigint | boolean)[] = [
  (view, at) => view.getUint8(at),
  (view, at) => view.getInt8(at),
  (view, at) => view.getUint16(at, true),
  (view, at) => view.getInt16(at, true),
  (view, at) => view.getUint32(at, true),
  (view, at) => view.getInt32(at, true),
  (view, at) => view.getFloat32(at, true),
  (view, at) => view.getUint8(at) !== 0,
  () => 0,
  () => 0,
  (view, at) => view.getBigUint64(at, true),
  (view, at) => view.getBigInt64(at, true),
  (view, at) => view.getFloat64(at, true),
];

/**
 * Reads the header and not a byte more, so that the tensors can be read from the same source afterwards.
 *
 * @throws FormatError naming the byte of the first thing that is out of order
 */
export function walkHeader(source: ByteSource): Promise<GgufHeader> {
  return new Walk(source).run();
}

class Walk {
  readonly #source: ByteSource;
  #bytes = new Uint8Array(1 << 12);
  #view = new DataView(this.#bytes.buffer);
  /** Bytes read so far. */
  #filled = 0;
  #offset = 0;
  /** The least that must follow what is being read: how far may be read ahead. */
  #owed = 0;
  readonly #metadata = new Map<string, MetadataValue>();

  constructor(source: ByteSource) {
    this.#source = source;
  }

  async run(): Promise<GgufHeader> {
    await this.#need(8);
    if (this.#view.getUint32(0, true) !== 0x46554747) this.#fail("is not a GGUF file");
    this.#offset = 4;
    const version = this.#view.getUint32(4, true);
    if (version === 0x02000000 || version === 0x03000000) this.#fail("is a big-endian GGUF file");
    if (version !== 2 && version !== 3) this.#fail(`is of GGUF version ${version}; 2 and 3 are known`);
    this.#offset = 8;
    const tensorCount = await this.#count(limits.tensors, "tensors");
    const keyCount = await this.#count(limits.keys, "metadata keys");
    this.#owed = keyCount * leastKeyBytes + tensorCount * leastTensorBytes;
    const keys = new Map<string, number>();
    for (let index = 0; index < keyCount; index++) {
      this.#owed -= leastKeyBytes;
      await this.#entry(keys);
    }
    const tensors: GgufTensor[] = [];
    for (let index = 0; index < tensorCount; index++) {
      this.#owed -= leastTensorBytes;
      tensors.push(await this.#tensor());
    }
    return { byteLength: this.#offset, metadata: this.#metadata, keys, tensors };
  }

  async #entry(keys: Map<string, number>): Promise<void> {
    const at = this.#offset;
    const key = this.#text(await this.#string(longestName));
    const twice = keys.has(key);
    if (twice || key === "__proto__" || !/^[\x20-\x7e]+$/.test(key)) {
      this.#offset = at;
      this.#fail(`has ${twice ? "two metadata entries" : "a metadata entry"} called ${show(key)}`);
    }
    keys.set(key, at);
    this.#metadata.set(key, await this.#value(await this.#type(), 0));
  }

  async #value(type: number, depth: number): Promise<MetadataValue> {
    if (type === arrayType) return this.#array(depth);
    if (type === stringType) return this.#text(await this.#string(limits.string));
    const at = this.#offset;
    await this.#skip(valueBytes[type]!);
    return readers[type]!(this.#view, at);
  }

  async #array(depth: number): Promise<MetadataValue> {
    if (depth >= limits.depth) this.#fail(`has metadata nested deeper than ${limits.depth} arrays`);
    const type = await this.#type();
    const count = await this.#count(limits.array, "array elements");
    const size = valueBytes[type]!;
    if (size) {
      const start = this.#offset;
      await this.#skip(count * size);
      return Array.from({ length: count }, (_, index) => readers[type]!(this.#view, start + index * size));
    }
    const least = type === stringType ? 8 : 12;
    this.#owed += count * least;
    if (type === stringType) return this.#strings(count);
    const values: MetadataValue[] = [];
    while (values.length < count) {
      this.#owed -= least;
      values.push(await this.#value(type, depth + 1));
    }
    return values;
  }

  async #strings(count: number): Promise<string[]> {
    const list: string[] = [];
    while (list.length < count) {
      this.#owed -= 8;
      const start = this.#offset + 8;
      // Most have been read already; an await for each would cost more than all else.
      const end = start <= this.#filled ? start + Number(this.#view.getBigUint64(this.#offset, true)) : Infinity;
      if (end > this.#filled) list.push(this.#text(await this.#string(limits.string)));
      else {
        this.#offset = end;
        list.push(this.#text({ start, end }));
      }
    }
    return list;
  }

  async #tensor(): Promise<GgufTensor> {
    const at = this.#offset;
    const { start, end } = await this.#string(longestName);
    if (start === end) {
      this.#offset = at;
      this.#fail("has a tensor without a name");
    }
    await this.#need(4);
    const rank = this.#view.getUint32(this.#offset, true);
    if (rank > 4) this.#fail(`has a tensor of ${rank} dimensions; 4 are the most`);
    this.#offset += 4;
    const dimensions: number[] = [];
    while (dimensions.length < rank) {
      const length = await this.#count(limits.dimension, "entries along one dimension");
      if (!length) this.#fail("has a tensor with nothing in it");
      dimensions.push(length);
    }
    await this.#skip(12);
    const type = this.#view.getUint32(this.#offset - 12, true);
    const offset = this.#view.getBigUint64(this.#offset - 8, true);
    return { at, name: this.#text({ start, end }), dimensions, type, offset };
  }

  async #type(): Promise<number> {
    await this.#need(4);
    const type = this.#view.getUint32(this.#offset, true);
    if (type >= valueBytes.length) this.#fail(`has metadata of the unknown type ${type}`);
    this.#offset += 4;
    return type;
  }

  /** Steps over a string to where it ends. */
  async #string(limit: number): Promise<{ start: number; end: number }> {
    const length = await this.#count(limit, "bytes in a string");
    const start = this.#offset;
    await this.#skip(length);
    return { start, end: this.#offset };
  }

  #text({ start, end }: { start: number; end: number }): string {
    return decoder.decode(this.#bytes.subarray(start, end));
  }

  /** 64 bits, of which few may be used. */
  async #count(limit: number, what: string): Promise<number> {
    await this.#need(8);
    const count = this.#view.getBigUint64(this.#offset, true);
    if (count > limit) this.#fail(`claims ${count} ${what}`);
    this.#offset += 8;
    return Number(count);
  }

  async #skip(count: number): Promise<void> {
    await this.#need(count);
    this.#offset += count;
  }

  /** Sees to it that `count` bytes from the offset are there. */
  async #need(count: number): Promise<void> {
    if (this.#offset + count <= this.#filled) return;
    const end = this.#offset + count + this.#owed;
    const { name, byteLength } = this.#source;
    if (byteLength !== undefined && end > byteLength) {
      throw new FormatError(name, `ends early: its header alone takes ${end} bytes or more`, byteLength);
    }
    if (end > limits.header) this.#fail(`has a header of more than ${limits.header} bytes`);
    if (end > this.#bytes.length) {
      const longer = new Uint8Array(Math.min(limits.header, 2 ** Math.ceil(Math.log2(end))));
      longer.set(this.#bytes.subarray(0, this.#filled));
      this.#bytes = longer;
      this.#view = new DataView(longer.buffer);
    }
    await this.#source.readInto(this.#filled, this.#bytes.subarray(this.#filled, end));
    this.#filled = end;
  }

  #fail(fault: string): never {
    throw new FormatError(this.#source.name, fault, this.#offset);
  }
}
