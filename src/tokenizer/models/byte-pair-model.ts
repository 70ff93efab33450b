/** Byte-pair encoding as Hugging Face's BPE does it, over the bytes of a text or over its characters. */
import { FormatError } from "../../errors.ts";
import { byteToken, characterOfByte } from "../token-bytes.ts";
import type { TokensOut } from "../tokens.ts";
import { type MergeTable, TableMerger } from "./merge-table.ts";
import { MergingModel } from "./merging-model.ts";
import { hashBytes, type TokenTable } from "./token-table.ts";

/** What a BPE model is made of. */
export interface BytePairParts {
  readonly tokens: TokenTable;
  readonly merges: MergeTable;
  /** What has a place in merges and is no entry: its text, and an id from the table's size on. */
  readonly strangers: ReadonlyMap<string, number>;
  /** What is put out in place of an id that merges come to: for strangers, and for special tokens, which no plain text becomes. */
  readonly expansions: ReadonlyMap<number, readonly number[]>;
  /** Whether symbols are the bytes of a piece, as the byte-level step spells them, or its characters. */
  readonly overBytes: boolean;
  /** Which pieces that are entries are taken as one whatever the merges: all, those of line feeds alone, or none. */
  readonly ignoreMerges: "all" | "line-feeds" | "none";
  /** Whether a character that is no entry becomes the tokens <0x00> to <0xFF> of its bytes. */
  readonly byteFallback: boolean;
  /** The token for what is no entry; without one it leaves nothing. */
  readonly unknown: string | undefined;
  /** Whether neighbours that are no entries become one such token. */
  readonly fuseUnknown: boolean;
  /** What stands before every character but a piece's first, and behind its last. */
  readonly prefix: string;
  readonly suffix: string;
  /** Tokens that no plain text becomes. */
  readonly barred: ReadonlySet<number>;
  /** The file's name, for errors. */
  readonly name: string;
}

const encoder = new TextEncoder();

export class BytePairModel extends MergingModel<Int32Array, TableMerger> {
  protected override readonly longestWhole: number;
  readonly #parts: BytePairParts;
  readonly #unknown: number;
  /** The entries of single bytes' spellings; -1 where there is none. */
  readonly #byteIds: Int32Array;
  /** Of the characters that were met below U+2600, which has most alphabets and ▁: their id + 2, so that 0 is for the others. */
  readonly #characterIds = new Int32Array(0x2600);
  /** The entries <0x00> to <0xFF>; -1 where there is none. */
  readonly #fallbackIds: Int32Array;
  #bytes = new Uint8Array(256);
  #count = 0;
  /** A token for what is no entry, not put among the symbols yet. */
  #pending = -1;
  /** Whether a cut may come before the next character. */
  #separable = true;

  constructor(parts: BytePairParts) {
    const { tokens, merges } = parts;
    super(new TableMerger(merges), new TableMerger(merges), merges.lengths, tokens.longest);
    this.#parts = parts;
    this.longestWhole = parts.ignoreMerges === "none" ? -1 : tokens.longest;
    this.#unknown = parts.unknown === undefined ? -1 : tokens.id(parts.unknown);
    this.#byteIds = Int32Array.from(characterOfByte, (unit) => this.#idOf(String.fromCharCode(unit)));
    this.#fallbackIds = Int32Array.from({ length: 256 }, (_, byte) => tokens.id(byteToken(byte)));
  }

  /** The id of an entry, or of a stranger; -1 for what is neither. */
  #idOf(text: string): number {
    const id = this.#parts.tokens.id(text);
    return id < 0 ? (this.#parts.strangers.get(text) ?? -1) : id;
  }

  protected override prepare(text: string, from: number, to: number, isFirst: boolean, isLast: boolean): number {
    const { overBytes, prefix, suffix } = this.#parts;
    this.#count = 0;
    this.#pending = -1;
    this.#separable = true;
    this.merger.reserve((to - from) * (overBytes ? 3 : 1) + 1);
    if (this.cuts.length < this.merger.ids.length) this.cuts = new Int32Array(this.merger.ids.length);
    if (overBytes) this.#prepareBytes(text, from, to);
    else if (prefix === "" && suffix === "") this.#prepareCharacters(text, from, to);
    else this.#prepareMarked(text, from, to, isFirst, isLast);
    if (this.#pending >= 0) this.#add(this.#pending, -1);
    // The last character may be one that a suffix belongs to, and another symbol then.
    if (!isLast && suffix !== "" && this.#count > 0) this.cuts[this.#count - 1] = -1;
    return this.#count;
  }

  #prepareBytes(text: string, from: number, to: number): void {
    for (let at = from; at < to; at++) {
      const unit = text.charCodeAt(at);
      if (unit < 0x80) this.#addByte(unit, at);
      else if (unit < 0x800) {
        this.#addByte(0xc0 | (unit >> 6), at);
        this.#addByte(0x80 | (unit & 63), -1);
      } else if (unit >>> 10 !== 0x36) {
        this.#addByte(0xe0 | (unit >> 12), at);
        this.#addByte(0x80 | ((unit >> 6) & 63), -1);
        this.#addByte(0x80 | (unit & 63), -1);
      } else {
        const codePoint = text.codePointAt(at)!;
        this.#addByte(0xf0 | (codePoint >> 18), at);
        this.#addByte(0x80 | ((codePoint >> 12) & 63), -1);
        this.#addByte(0x80 | ((codePoint >> 6) & 63), -1);
        this.#addByte(0x80 | (codePoint & 63), -1);
        at++;
      }
    }
  }

  #addByte(byte: number, at: number): void {
    const id = this.#byteIds[byte]!;
    if (id >= 0) this.#addKnown(id, at);
    else this.#addUnknown(String.fromCharCode(characterOfByte[byte]!), at);
  }

  #prepareCharacters(text: string, from: number, to: number): void {
    const known = this.#characterIds;
    for (let at = from; at < to; ) {
      const unit = text.charCodeAt(at);
      const length = unit >>> 10 === 0x36 ? 2 : 1;
      let id = unit < known.length ? known[unit]! - 2 : -2;
      if (id === -2) {
        id = this.#idOf(text.slice(at, at + length));
        if (unit < known.length) known[unit] = id + 2;
      }
      if (id >= 0) this.#addKnown(id, at);
      else this.#addUnknown(text.slice(at, at + length), at);
      at += length;
    }
  }

  /** With a prefix or suffix for where a character stands. */
  #prepareMarked(text: string, from: number, to: number, isFirst: boolean, isLast: boolean): void {
    const { tokens, prefix, suffix } = this.#parts;
    for (let at = from; at < to; ) {
      const length = text.charCodeAt(at) >>> 10 === 0x36 ? 2 : 1;
      const next = at + length;
      const marked =
        (isFirst && at === from ? "" : prefix) + text.slice(at, next) + (isLast && next === to ? suffix : "");
      const id = tokens.id(marked);
      if (id >= 0) this.#addKnown(id, at);
      else this.#addUnknown(marked, at);
      at = next;
    }
  }

  #add(id: number, cut: number): void {
    if (this.#count === this.merger.ids.length) {
      this.merger.reserve(this.#count + 1);
      const cuts = new Int32Array(this.merger.ids.length);
      cuts.set(this.cuts);
      this.cuts = cuts;
    }
    this.merger.ids[this.#count] = id;
    this.cuts[this.#count++] = cut;
  }

  /** @param at where its character begins, -1 amid one */
  #addKnown(id: number, at: number): void {
    if (this.#pending >= 0) {
      this.#add(this.#pending, -1);
      this.#pending = -1;
    }
    this.#add(id, this.#separable ? at : -1);
    this.#separable = true;
  }

  #addUnknown(character: string, at: number): void {
    const { byteFallback, unknown, fuseUnknown, name } = this.#parts;
    const separable = this.#separable;
    // What fuses with its neighbours or comes out of turn stays with them.
    this.#separable = false;
    if (byteFallback) {
      const bytes = encoder.encode(character);
      if (bytes.every((byte) => this.#fallbackIds[byte]! >= 0)) {
        for (const [index, byte] of bytes.entries())
          this.#add(this.#fallbackIds[byte]!, separable && index === 0 ? at : -1);
        this.#separable = separable && this.#pending < 0;
        return;
      }
    }
    if (unknown === undefined) {
      this.#separable = separable;
      return;
    }
    if (this.#unknown < 0)
      throw new FormatError(name, `${JSON.stringify(character)} is no entry, and neither is the token for that`);
    if (this.#pending >= 0 && !fuseUnknown) this.#add(this.#pending, -1);
    this.#pending = this.#unknown;
  }

  protected override apart(at: number): boolean {
    const { ids } = this.merger;
    return !this.#parts.merges.neighbours.has(ids[at - 1]!, ids[at]!);
  }

  protected override whole(text: string, from: number, to: number): number {
    const { tokens, overBytes, barred, ignoreMerges } = this.#parts;
    if (ignoreMerges === "line-feeds" && !/^\n*$/.test(text.slice(from, to))) return -1;
    const most = (to - from) * (overBytes ? 6 : 3);
    if (this.#bytes.length < most) this.#bytes = new Uint8Array(most * 2);
    const bytes = this.#bytes;
    let { written } = encoder.encodeInto(text.slice(from, to), bytes);
    if (overBytes) {
      // From the last on, since a byte's spelling takes one byte or two.
      const plain = bytes.slice(0, written);
      written = 0;
      for (const byte of plain) {
        const unit = characterOfByte[byte]!;
        if (unit >= 0x80) bytes[written++] = 0xc0 | (unit >> 6);
        bytes[written++] = unit < 0x80 ? unit : 0x80 | (unit & 63);
      }
    }
    const id = tokens.find(bytes, 0, written, hashBytes(bytes, 0, written));
    return barred.has(id) ? -1 : id;
  }

  protected override put(at: number, out: TokensOut): void {
    const id = this.merger.ids[at]!;
    const { expansions } = this.#parts;
    const expansion = expansions.size > 0 ? expansions.get(id) : undefined;
    if (!expansion) out.push(id);
    else for (const token of expansion) out.push(token);
  }
}
