/** A vocabulary's entries in three typed arrays: their text by id, their id by text. */
import { byteToken } from "../token-bytes.ts";

const encoder = new TextEncoder();
const scratch = new Uint8Array(1024);
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The hash of bytes: a polynomial, so that those of all ranges of a text follow from those of its beginnings. */
export const hashFactor = 0x01000193;

/** The hash of bytes from `start` to before `end`. */
function hashBytes(bytes: Uint8Array, start: number, end: number): number {
  let hash = 0;
  for (let index = start; index < end; index++) hash = (Math.imul(hash, hashFactor) + bytes[index]! + 1) | 0;
  return hash;
}

/** The least power of two that is at least so much. */
export const powerOfTwo = (least: number) => 2 ** Math.ceil(Math.log2(Math.max(least, 1)));

/** Entries as they are collected, each under an id of its own. */
export class TokenTable {
  /** Highest id + 1. */
  readonly size: number;
  /** Bytes of the longest entry. */
  readonly longest: number;
  readonly #bytes: Uint8Array;
  /** Where each id's text begins in `bytes`: [size + 1]; an id without an entry has length 0. */
  readonly #starts: Uint32Array;
  /** Open addressing by hash: id + 1, or 0. */
  readonly #slots: Int32Array;

  /** @param entries of `size` ids, undefined or "" where there is none; where two are alike, the later is found */
  constructor(entries: readonly (string | undefined)[]) {
    this.size = entries.length;
    this.#starts = new Uint32Array(this.size + 1);
    let units = 0;
    for (const entry of entries) units += entry?.length ?? 0;
    let bytes = new Uint8Array(units * 3);
    let end = 0;
    let longest = 0;
    for (let id = 0; id < this.size; id++) {
      const { written } = encoder.encodeInto(entries[id] ?? "", bytes.subarray(end));
      end += written;
      longest = Math.max(longest, written);
      this.#starts[id + 1] = end;
    }
    bytes = bytes.slice(0, end);
    this.#bytes = bytes;
    this.longest = longest;
    this.#slots = new Int32Array(powerOfTwo(this.size * 2));
    for (let id = 0; id < this.size; id++) {
      const start = this.#starts[id]!;
      const stop = this.#starts[id + 1]!;
      if (stop > start) this.#slots[this.#slot(bytes, start, stop, hashBytes(bytes, start, stop))] = id + 1;
    }
  }

  /** The text of an id; undefined when there is no entry. */
  text(id: number): string | undefined {
    if (!(id >= 0 && id < this.size) || !Number.isInteger(id)) return undefined;
    const start = this.#starts[id]!;
    const end = this.#starts[id + 1]!;
    return end > start ? decoder.decode(this.#bytes.subarray(start, end)) : undefined;
  }

  /** The id of a text, or -1. */
  id(text: string): number {
    const bytes = text.length * 3 <= scratch.length ? scratch : new Uint8Array(text.length * 3);
    const { written } = encoder.encodeInto(text, bytes);
    return this.find(bytes, 0, written, hashBytes(bytes, 0, written));
  }

  /** The ids of <0x00> to <0xFF>: [256], -1 where there is no such entry. */
  byteIds(): Int32Array {
    return Int32Array.from({ length: 256 }, (_, byte) => this.id(byteToken(byte)));
  }

  /** The id of the bytes from `start` to before `end`, whose hash is given, or -1. */
  find(bytes: Uint8Array, start: number, end: number, hash: number): number {
    return this.#slots[this.#slot(bytes, start, end, hash)]! - 1;
  }

  /** The slot that holds these bytes, or the one that would. */
  #slot(bytes: Uint8Array, start: number, end: number, hash: number): number {
    const mask = this.#slots.length - 1;
    const length = end - start;
    let slot = (hash ^ (hash >>> 15)) & mask;
    for (; ; slot = (slot + 1) & mask) {
      const id = this.#slots[slot]! - 1;
      if (id < 0) return slot;
      const from = this.#starts[id]!;
      if (this.#starts[id + 1]! - from !== length) continue;
      let same = 0;
      while (same < length && this.#bytes[from + same] === bytes[start + same]) same++;
      if (same === length) return slot;
    }
  }
}
