/** Unigram language models (Kudo 2018), as Hugging Face's Unigram runs them: of all ways to divide a piece, the likeliest. */
import { FormatError } from "../../errors.ts";
import { show } from "../../show.ts";
import type { TokenList } from "../tokens.ts";
import { PairSet } from "./merge-table.ts";
import { keyUnits, PieceCache } from "./piece-cache.ts";
import type { PieceModel } from "./piece-model.ts";
import { hashFactor, type TokenTable } from "./token-table.ts";

const encoder = new TextEncoder();
/** How much less likely than any entry a character is that is none. */
const unknownPenalty = 10;

/** What a unigram model is made of. */
interface UnigramParts {
  readonly tokens: TokenTable;
  /** Logarithms of likelihoods, of each id. */
  readonly scores: Float64Array;
  /** The token for characters that are no entries; neighbours of these become one. */
  readonly unknown: number | undefined;
  /** The tokens of single bytes, which stand for such a character where all its bytes have one: [256], -1 for none. */
  readonly byteIds: Int32Array | undefined;
  /** Tokens that no plain text becomes. */
  readonly barred: ReadonlySet<number>;
  /** The file's name, for errors. */
  readonly name: string;
}

/**
 * The best division is found from left to right, over the bytes of a window. A window ends where no entry holds both of two neighbouring
 * characters: every division has a border there. Scores are added up from the window's beginning and not from the piece's, which can
 * tell only between divisions that differ by a rounding of their scores.
 */
export class UnigramModel implements PieceModel {
  readonly window = 8192;
  readonly #parts: UnigramParts;
  readonly #cache = new PieceCache();
  readonly #neighbours: PairSet;
  /** Beginnings of entries, by hash and length. */
  readonly #beginnings: PairSet;
  readonly #unknownScore: number;
  #bytes = new Uint8Array(0);
  /** Of the best division up to each byte: its score, where its last part begins, and that part's id. */
  #scores = new Float64Array(0);
  #starts = new Int32Array(0);
  #ids = new Int32Array(0);

  constructor(parts: UnigramParts) {
    this.#parts = parts;
    const { tokens, scores, barred } = parts;
    let lowest = Number.POSITIVE_INFINITY;
    let bytes = 0;
    for (let id = 0; id < tokens.size; id++) {
      const text = tokens.text(id);
      if (text === undefined) continue;
      lowest = Math.min(lowest, scores[id]!);
      bytes += text.length * 2;
    }
    this.#unknownScore = lowest - unknownPenalty;
    this.#neighbours = new PairSet(tokens.size);
    this.#beginnings = new PairSet(bytes);
    for (let id = 0; id < tokens.size; id++) {
      const text = barred.has(id) ? "" : (tokens.text(id) ?? "");
      let before = -1;
      for (const character of text) {
        const codePoint = character.codePointAt(0)!;
        if (before >= 0) this.#neighbours.add(before, codePoint);
        before = codePoint;
      }
      let hash = 0;
      for (const [index, byte] of encoder.encode(text).entries()) {
        hash = (Math.imul(hash, hashFactor) + byte + 1) | 0;
        this.#beginnings.add(hash, index);
      }
    }
  }

  encodeShort(text: string, from: number, to: number, out: TokenList): void {
    const remembered = to - from <= keyUnits;
    if (remembered && this.#cache.find(text, from, to, out)) return;
    const before = out.length;
    this.#encode(text.slice(from, to), out);
    if (remembered) this.#cache.store(text, from, to, out, out.length - before);
  }

  advance(text: string, from: number, to: number, _isFirst: boolean, isLast: boolean, out: TokenList): number {
    let end = to;
    if (!isLast) {
      end = this.#lastBorder(text, from, to);
      if (end <= from) return from;
    }
    this.#encode(text.slice(from, end), out);
    return end;
  }

  /** The last place in a text that every division has a border at; `from` when there is none. */
  #lastBorder(text: string, from: number, to: number): number {
    for (let at = to; at > from; ) {
      // Behind the last character more may come; a lone half of one does not occur.
      const start = at - (text.charCodeAt(at - 1) >>> 10 === 0x37 ? 2 : 1);
      if (at < to) {
        const before = text.codePointAt(start)!;
        const apart = !this.#neighbours.has(before, text.codePointAt(at)!);
        // Characters that are no entries become one with their neighbours.
        if (apart && this.#parts.tokens.id(String.fromCodePoint(before)) >= 0) return at;
      }
      at = start;
    }
    return from;
  }

  #encode(text: string, out: TokenList): void {
    const most = text.length * 3;
    if (this.#bytes.length < most) {
      this.#bytes = new Uint8Array(most * 2);
      this.#scores = new Float64Array(most * 2 + 1);
      this.#starts = new Int32Array(most * 2 + 1);
      this.#ids = new Int32Array(most * 2 + 1);
    }
    const { written } = encoder.encodeInto(text, this.#bytes);
    this.#divide(written);
    this.#put(written, out);
  }

  /** Finds the best division of the first bytes. */
  #divide(length: number): void {
    const { tokens, scores, unknown, barred, name } = this.#parts;
    const bytes = this.#bytes;
    const best = this.#scores;
    const starts = this.#starts;
    const ids = this.#ids;
    starts.fill(-1, 0, length + 1);
    best[0] = 0;
    const offer = (end: number, score: number, start: number, id: number) => {
      if (starts[end]! >= 0 && !(score > best[end]!)) return;
      best[end] = score;
      starts[end] = start;
      ids[end] = id;
    };
    for (let start = 0; start < length; ) {
      const lead = bytes[start]!;
      const width = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
      let known = false;
      let hash = 0;
      const limit = Math.min(length, start + tokens.longest);
      for (let end = start; end < limit; ) {
        hash = (Math.imul(hash, hashFactor) + bytes[end]! + 1) | 0;
        if (!this.#beginnings.has(hash, end - start)) break;
        const id = tokens.find(bytes, start, ++end, hash);
        if (id < 0 || barred.has(id)) continue;
        offer(end, best[start]! + scores[id]!, start, id);
        known ||= end - start === width;
      }
      if (!known) {
        if (unknown === undefined)
          throw new FormatError(name, `there is no entry for ${show(this.#text(start, start + width))}`);
        offer(start + width, best[start]! + this.#unknownScore, start, unknown);
      }
      start += width;
    }
  }

  #text(start: number, end: number): string {
    return new TextDecoder().decode(this.#bytes.subarray(start, end));
  }

  /** Puts out the parts of the division. */
  #put(length: number, out: TokenList): void {
    const { unknown, byteIds } = this.#parts;
    const parts: number[] = [];
    for (let end = length; end > 0; end = this.#starts[end]!) parts.push(end);
    for (let index = parts.length - 1; index >= 0; index--) {
      const start = this.#starts[parts[index]!]!;
      const id = this.#ids[parts[index]!]!;
      if (id !== unknown) {
        out.push(id);
        continue;
      }
      while (index > 0 && this.#ids[parts[index - 1]!] === unknown) index--;
      const bytes = this.#bytes.subarray(start, parts[index]!);
      if (byteIds && bytes.every((byte) => byteIds[byte]! >= 0)) for (const byte of bytes) out.push(byteIds[byte]!);
      else out.push(id);
    }
  }
}
