/** Models that merge neighbouring symbols: how a long piece is cut where its merges are, and how short ones are remembered. */

import type { TokensOut } from "../tokens.ts";
import type { Merger } from "./merger.ts";
import { keyUnits, PieceCache } from "./piece-cache.ts";
import type { PieceModel } from "./piece-model.ts";

/** Symbols that may be merged again for each symbol of a text, to find out where it can be cut; a longer text is tried if that is not enough. */
const mostWork = 8;

/**
 * A model over a merger. Where a piece may be cut without changing its tokens:
 *
 * - Between two symbols that no merge brings together, whatever has become of them before: the two sides never meet.
 * - Behind a token when the tokens to its left stand as they are beside anything that can come. A list of tokens is what its text
 *   merges to if and only if each two neighbours are what the text of the two merges to: merges inside of a pair come in the same order
 *   as in the whole, and the first merge across a border would come in the pair as well. So the cut is certain when the last token
 *   on its left stays apart from each token that can follow: an entry that the text to the right begins with, and that another can
 *   follow in turn.
 */
export abstract class MergingModel<Symbols, M extends Merger<Symbols>> implements PieceModel {
  readonly window: number;
  protected readonly merger: M;
  /** Where a cut may come before a symbol: its UTF-16 offset; -1 where it may not, amid a character or beside what fuses. */
  protected cuts = new Int32Array(64);
  readonly #probe: M;
  readonly #lengths: readonly number[];
  readonly #longest: number;
  readonly #cache = new PieceCache();
  #work = 0;

  /** @param lengths how many symbols there are in what merges make, ascending; none when that is unknown: then nothing is cut */
  constructor(merger: M, probe: M, lengths: readonly number[], window: number) {
    this.merger = merger;
    this.#probe = probe;
    this.#lengths = lengths;
    this.#longest = lengths.at(-1) ?? Number.POSITIVE_INFINITY;
    this.window = Math.max(window, 8192);
  }

  /** Puts a text's symbols into `merger` and `cuts`. @returns how many */
  protected abstract prepare(text: string, from: number, to: number, isFirst: boolean, isLast: boolean): number;

  /** The token of a whole piece that is taken before any merge, or -1. */
  protected abstract whole(text: string, from: number, to: number): number;

  /** Whether a piece longer than this can only be merged. */
  protected abstract readonly longestWhole: number;

  /** Whether no merge brings the symbols at `at - 1` and `at` together. */
  protected abstract apart(at: number): boolean;

  /** Puts out the tokens of a merged symbol. */
  protected abstract put(at: number, out: TokensOut): void;

  encodeShort(text: string, from: number, to: number, out: TokensOut): void {
    const remembered = to - from <= keyUnits;
    if (remembered && this.#cache.find(text, from, to, out)) return;
    const before = out.length;
    this.advance(text, from, to, true, true, out);
    if (remembered) this.#cache.store(text, from, to, out, out.length - before);
  }

  advance(text: string, from: number, to: number, isFirst: boolean, isLast: boolean, out: TokensOut): number {
    if (isFirst && to - from <= this.longestWhole) {
      if (!isLast) return from;
      const token = this.whole(text, from, to);
      if (token >= 0) {
        out.push(token);
        return to;
      }
    }
    const count = this.prepare(text, from, to, isFirst, isLast);
    if (isLast) {
      this.merger.merge(count);
      this.#put(count, out);
      return to;
    }
    if (this.#longest === Infinity) return from;
    for (let at = count - 1; at > 0; at--) {
      if (this.cuts[at]! < 0 || !this.apart(at)) continue;
      this.merger.merge(at);
      this.#put(at, out);
      return this.cuts[at]!;
    }
    return this.#advanceBetweenTokens(from, count, out);
  }

  #put(count: number, out: TokensOut): void {
    for (let at = 0; at < count; at = this.merger.next[at]!) this.put(at, out);
  }

  /** Where merges can cross every border of symbols. */
  #advanceBetweenTokens(from: number, count: number, out: TokensOut): number {
    if (count < 4 * this.#longest) return from;
    const symbols = this.merger.save(count);
    this.#work = mostWork * count;
    this.merger.merge(count);
    const borders: number[] = [0];
    for (let at = this.merger.next[0]!; at + 2 * this.#longest < count; at = this.merger.next[at]!) borders.push(at);
    for (let index = borders.length - 1; index > 0 && index > borders.length - 8; index--) {
      const border = borders[index]!;
      if (this.cuts[border]! < 0 || !this.#isCertain(symbols, borders[index - 1]!, border)) continue;
      this.#put(border, out);
      return this.cuts[border]!;
    }
    return from;
  }

  /** Whether the token from `start` to `border` stays apart from every token that can follow. */
  #isCertain(symbols: Symbols, start: number, border: number): boolean {
    const probe = this.#probe;
    const longest = this.#longest;
    const merged = (at: number, length: number) => {
      this.#work -= length;
      probe.load(symbols, at, length);
      probe.merge(length);
      return probe.next[0]!;
    };
    const isToken = (at: number, length: number) => this.#work > 0 && merged(at, length) === length;
    const areApart = (at: number, left: number, right: number) =>
      merged(at, left + right) === left && probe.next[left] === left + right;
    /** By place and length of a token, whether one after another can follow it, as far as the text is known. */
    const goesOn = new Map<number, boolean>();
    const canStand = (at: number, length: number): boolean => {
      const end = at + length;
      if (end >= border + longest) return true;
      const key = at * (longest + 1) + length;
      const known = goesOn.get(key);
      if (known !== undefined) return known;
      const follows = this.#lengths.some(
        (next) => isToken(end, next) && areApart(at, length, next) && canStand(end, next),
      );
      goesOn.set(key, follows);
      return follows;
    };
    const joins = (length: number) => isToken(border, length) && !areApart(start, border - start, length);
    return !this.#lengths.some((length) => joins(length) && canStand(border, length)) && this.#work > 0;
  }
}
