/** Byte-pair encoding as Hugging Face's BPE does it, over the bytes of a text or over its characters. */
import { FormatError } from "../../errors.ts";
import { characterOfByte, spell } from "../token-bytes.ts";
import type { TokenList } from "../tokens.ts";
import type { MergeTable } from "./merge-table.ts";
import { Merger } from "./merger.ts";
import { keyUnits, PieceCache } from "./piece-cache.ts";
import type { PieceModel } from "./piece-model.ts";
import { TokenBorders } from "./token-borders.ts";
import type { TokenTable } from "./token-table.ts";

/** What a BPE model is made of. */
export interface BytePairParts {
  readonly tokens: TokenTable;
  readonly merges: MergeTable;
  /** What has a place in merges and is no entry: its text, and an id from the table's size on. */
  readonly strangers?: ReadonlyMap<string, number>;
  /** What is put out in place of an id that merges come to: for strangers, and for special tokens, which no plain text becomes. */
  readonly expansions: ReadonlyMap<number, readonly number[]>;
  /** Whether symbols are the bytes of a piece, as the byte-level step spells them, or its characters. */
  readonly overBytes?: boolean;
  /** Which pieces that are entries are taken as one whatever the merges: all, or those of line feeds alone. */
  readonly ignoreMerges?: "all" | "line-feeds" | undefined;
  /** The tokens of single bytes, which a character that is no entry becomes where all its bytes have one: [256], -1 for none. */
  readonly byteIds: Int32Array | undefined;
  /** The token for what is no entry; without one it leaves nothing. */
  readonly unknown?: string | undefined;
  /** Whether neighbours that are no entries become one such token. */
  readonly fuseUnknown?: boolean;
  /** What stands before every character but a piece's first, and behind its last. */
  readonly prefix?: string;
  readonly suffix?: string;
  /** Tokens that no plain text becomes. */
  readonly barred: ReadonlySet<number>;
  /** The file's name, for errors. */
  readonly name: string;
}

const encoder = new TextEncoder();

/**
 * A piece of any length is merged window by window. It may be cut without a change to its tokens between two symbols that no merge brings
 * together, since whatever has become of them before, the two sides never meet; and at a border between tokens that is certain.
 */
export class BytePairModel implements PieceModel {
  readonly window: number;
  readonly #parts: BytePairParts;
  readonly #merger: Merger;
  readonly #borders: TokenBorders;
  readonly #cache = new PieceCache();
  /** Where a cut may come before a symbol: its UTF-16 offset; -1 where it may not, amid a character or beside what fuses. */
  #cuts = new Int32Array(64);
  #count = 0;
  /** A token for what is no entry, not put among the symbols yet. */
  #pending = -1;
  /** Whether a cut may come before the next character. */
  #separable = true;
  /** UTF-16 units of a piece that may be an entry by itself. */
  readonly #longestWhole: number;
  readonly #unknown: number;
  /** The entries of single bytes' spellings; -1 where there is none. */
  readonly #byteIds: Int32Array;
  /** Of the characters that were met below U+2600, which has most alphabets and ▁: their id + 2, so that 0 is for the others. */
  readonly #characterIds = new Int32Array(0x2600);

  constructor(parts: BytePairParts) {
    const { tokens, merges, ignoreMerges, unknown } = parts;
    this.#parts = parts;
    this.#merger = new Merger(merges);
    this.#borders = new TokenBorders(merges);
    this.window = Math.max(tokens.longest, 8192);
    this.#longestWhole = ignoreMerges ? tokens.longest : -1;
    this.#unknown = unknown === undefined ? -1 : tokens.id(unknown);
    this.#byteIds = Int32Array.from(characterOfByte, (unit) => this.#idOf(String.fromCharCode(unit)));
  }

  encodeShort(text: string, from: number, to: number, out: TokenList): void {
    const remembered = to - from <= keyUnits;
    if (remembered && this.#cache.find(text, from, to, out)) return;
    const before = out.length;
    this.advance(text, from, to, true, true, out);
    if (remembered) this.#cache.store(text, from, to, out, out.length - before);
  }

  advance(text: string, from: number, to: number, isFirst: boolean, isLast: boolean, out: TokenList): number {
    if (isFirst && to - from <= this.#longestWhole) {
      if (!isLast) return from;
      const token = this.#whole(text, from, to);
      if (token >= 0) {
        out.push(token);
        return to;
      }
    }
    const merger = this.#merger;
    const cuts = this.#prepare(text, from, to, isFirst, isLast);
    const count = this.#count;
    if (isLast) {
      merger.merge(count);
      this.#put(count, out);
      return to;
    }
    const { neighbours, lengths } = this.#parts.merges;
    // Where merges go in circles, nothing is known of what they bring together.
    if (lengths.length === 0) return from;
    let end = count - 1;
    while (end > 0 && (cuts[end]! < 0 || neighbours.has(merger.ids[end - 1]!, merger.ids[end]!))) end--;
    if (end > 0) merger.merge(end);
    else {
      const symbols = merger.ids.slice(0, count);
      merger.merge(count);
      end = this.#borders.last(symbols, merger, cuts);
    }
    this.#put(end, out);
    return end > 0 ? cuts[end]! : from;
  }

  /** Puts out the tokens of what the first symbols have become. */
  #put(count: number, out: TokenList): void {
    const { ids, next } = this.#merger;
    const { expansions } = this.#parts;
    for (let at = 0; at < count; at = next[at]!) {
      const expansion = expansions.size > 0 ? expansions.get(ids[at]!) : undefined;
      if (!expansion) out.push(ids[at]!);
      else for (const token of expansion) out.push(token);
    }
  }

  /** The id of an entry, or of a stranger; -1 for what is neither. */
  #idOf(text: string): number {
    const id = this.#parts.tokens.id(text);
    return id < 0 ? (this.#parts.strangers?.get(text) ?? -1) : id;
  }

  /** Puts a text's symbols into the merger. @returns where they may be cut */
  #prepare(text: string, from: number, to: number, isFirst: boolean, isLast: boolean): Int32Array {
    const { overBytes = false, prefix = "", suffix = "" } = this.#parts;
    this.#count = 0;
    this.#pending = -1;
    this.#separable = true;
    this.#merger.reserve((to - from) * (overBytes ? 3 : 1) + 1);
    if (this.#cuts.length < this.#merger.ids.length) this.#cuts = new Int32Array(this.#merger.ids.length);
    if (overBytes) this.#prepareBytes(text, from, to);
    else if (prefix === "" && suffix === "") this.#prepareCharacters(text, from, to);
    else this.#prepareMarked(text, from, to, isFirst, isLast);
    if (this.#pending >= 0) this.#add(this.#pending, -1);
    // The last character may be one that a suffix belongs to, and another symbol then.
    if (!isLast && suffix !== "" && this.#count > 0) this.#cuts[this.#count - 1] = -1;
    return this.#cuts;
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
    const { tokens, prefix = "", suffix = "" } = this.#parts;
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
    if (this.#count === this.#merger.ids.length) {
      this.#merger.reserve(this.#count + 1);
      const cuts = new Int32Array(this.#merger.ids.length);
      cuts.set(this.#cuts);
      this.#cuts = cuts;
    }
    this.#merger.ids[this.#count] = id;
    this.#cuts[this.#count++] = cut;
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
    const { byteIds, unknown, fuseUnknown, name } = this.#parts;
    const separable = this.#separable;
    // What fuses with its neighbours or comes out of turn stays with them.
    this.#separable = false;
    const bytes = byteIds && encoder.encode(character);
    if (bytes?.every((byte) => byteIds![byte]! >= 0)) {
      for (const [index, byte] of bytes.entries()) this.#add(byteIds![byte]!, separable && index === 0 ? at : -1);
      this.#separable = separable && this.#pending < 0;
      return;
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

  /** The token of a whole piece that is taken before any merge, or -1. */
  #whole(text: string, from: number, to: number): number {
    const { tokens, overBytes, barred, ignoreMerges } = this.#parts;
    const piece = text.slice(from, to);
    if (ignoreMerges === "line-feeds" && !/^\n*$/.test(piece)) return -1;
    const id = tokens.id(overBytes ? spell(piece) : piece);
    return barred.has(id) ? -1 : id;
  }
}
