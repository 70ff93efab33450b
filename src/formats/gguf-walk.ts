/** A strict walk over a GGUF header: where everything lies, before any of it is believed. Specification: ggml's docs/gguf.md */
import { FormatError } from "../errors.ts";
import { show } from "../show.ts";
import type { ByteSource } from "./source.ts";

/** A header whose every length fits, undecoded but for its lists of strings. */
export interface GgufLayout {
  /** Bytes from the start of the file to the end of the last tensor's description. */
  readonly byteLength: number;
  /** The header without its lists of strings, as if the file had none. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** The lists of strings by key: vocabularies of 100,000, each of which takes the parser a microsecond. */
  readonly lists: ReadonlyMap<string, string[]>;
  /** Where each metadata key lies. */
  readonly keys: ReadonlyMap<string, number>;
  /** Where each tensor's description lies. */
  readonly tensorOffsets: readonly number[];
  /** Strings of the metadata that the parser gets wrong, by key and indices. */
  readonly misread: readonly { readonly path: readonly (string | number)[]; readonly text: string }[];
}

/** What @huggingface/gguf sets as limits, or less. */
const limits = {
  header: 48_000_000,
  keys: 100_000,
  tensors: 100_000,
  string: 10_000_000,
  array: 1_000_000,
  depth: 4,
  dimension: 2 ** 32,
};
/** It reads so much at once, and cuts a string that is the last of an array where such a piece ends. */
const parserPieceBytes = 2_000_000;
const longestName = 65_535;
/** The least that an entry takes: a key without letters and a byte; a tensor without letters or dimensions. */
const leastKeyBytes = 13;
const leastTensorBytes = 24;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

const stringType = 8;
const arrayType = 9;
/** Bytes of a value by type; 0 for those that say so themselves. */
const valueBytes = [1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8];

/**
 * Reads the header and not a byte more, so that the tensors can be read from the same source afterwards.
 *
 * @throws FormatError naming the byte of the first thing that is out of order
 */
export function walkHeader(source: ByteSource): Promise<GgufLayout> {
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
  /** Where the entries with lists of strings lie. */
  readonly #cuts: { start: number; end: number }[] = [];
  /** Bytes of them. */
  #cutBytes = 0;
  readonly #lists = new Map<string, string[]>();
  readonly #misread: { path: (string | number)[]; text: string }[] = [];

  constructor(source: ByteSource) {
    this.#source = source;
  }

  async run(): Promise<GgufLayout> {
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
    const tensorOffsets: number[] = [];
    for (let index = 0; index < tensorCount; index++) {
      this.#owed -= leastTensorBytes;
      tensorOffsets.push(this.#offset);
      await this.#tensor();
    }
    const bytes = this.#withoutLists(keyCount);
    return { byteLength: this.#offset, bytes, lists: this.#lists, keys, tensorOffsets, misread: this.#misread };
  }

  #withoutLists(keyCount: number): Uint8Array<ArrayBuffer> {
    const bytes = this.#bytes.subarray(0, this.#offset);
    let length = 0;
    let from = 0;
    for (const { start, end } of [...this.#cuts, { start: this.#offset, end: this.#offset }]) {
      bytes.copyWithin(length, from, start);
      length += start - from;
      from = end;
    }
    new DataView(bytes.buffer).setBigUint64(16, BigInt(keyCount - this.#cuts.length), true);
    return bytes.slice(0, length);
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
    await this.#value(await this.#type(), [key], 0);
    if (!this.#lists.has(key)) return;
    this.#cuts.push({ start: at, end: this.#offset });
    this.#cutBytes += this.#offset - at;
  }

  async #value(type: number, path: (string | number)[], depth: number): Promise<void> {
    if (type === arrayType) return this.#array(path, depth);
    if (type !== stringType) return this.#skip(valueBytes[type]!);
    const string = await this.#string(limits.string);
    const start = string.start - this.#cutBytes;
    const end = string.end - this.#cutBytes;
    const cut = Math.floor(start / parserPieceBytes) !== Math.floor(end / parserPieceBytes);
    // The parser also drops a byte order mark, which is a token's own text here.
    const marked = end - start >= 3 && this.#view.getUint32(string.start - 1, true) >>> 8 === 0xbfbbef;
    if (cut || marked) this.#misread.push({ path, text: this.#text(string) });
  }

  async #array(path: (string | number)[], depth: number): Promise<void> {
    if (depth >= limits.depth) this.#fail(`has metadata nested deeper than ${limits.depth} arrays`);
    const type = await this.#type();
    const count = await this.#count(limits.array, "array elements");
    if (valueBytes[type]) return this.#skip(count * valueBytes[type]);
    const least = type === stringType ? 8 : 12;
    this.#owed += count * least;
    if (type === stringType && depth === 0) return this.#list(String(path[0]), count);
    for (let index = 0; index < count; index++) {
      this.#owed -= least;
      await this.#value(type, [...path, index], depth + 1);
    }
  }

  /** A list of strings that is a key's value. */
  async #list(key: string, count: number): Promise<void> {
    const list: string[] = [];
    this.#lists.set(key, list);
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
  }

  async #tensor(): Promise<void> {
    const at = this.#offset;
    const { start, end } = await this.#string(longestName);
    if (start === end) {
      this.#offset = at;
      this.#fail("has a tensor without a name");
    }
    await this.#need(4);
    const dimensions = this.#view.getUint32(this.#offset, true);
    if (dimensions > 4) this.#fail(`has a tensor of ${dimensions} dimensions; 4 are the most`);
    this.#offset += 4;
    for (let index = 0; index < dimensions; index++) {
      const length = await this.#count(limits.dimension, "entries along one dimension");
      if (!length) this.#fail("has a tensor with nothing in it");
    }
    await this.#skip(12);
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
