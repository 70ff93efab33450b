/** Remembers the tokens of short pieces. */
import type { TokenList } from "../tokens.ts";

const slots = 1 << 12;
/** UTF-16 units of the longest piece that is remembered. */
export const keyUnits = 16;
const valueTokens = 8;

/**
 * The tokens of short pieces, each in the one place that its hash gives it: 4,096 pieces of at most 16 units and 8 tokens.
 * Ordinary writing finds nine words in ten here.
 */
export class PieceCache {
  readonly #keys = new Uint16Array(slots * keyUnits);
  readonly #keyLengths = new Uint8Array(slots);
  readonly #values = new Int32Array(slots * valueTokens);
  readonly #valueLengths = new Uint8Array(slots);
  #slot = 0;

  /** Whether the piece was known and its tokens put out; if not, `store` may follow. */
  find(text: string, from: number, to: number, out: TokenList): boolean {
    let hash = to - from;
    for (let at = from; at < to; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
    const slot = (hash ^ (hash >>> 13)) & (slots - 1);
    this.#slot = slot;
    const length = to - from;
    if (this.#keyLengths[slot] !== length) return false;
    const key = slot * keyUnits;
    for (let index = 0; index < length; index++)
      if (this.#keys[key + index] !== text.charCodeAt(from + index)) return false;
    const value = slot * valueTokens;
    for (let index = 0; index < this.#valueLengths[slot]!; index++) out.push(this.#values[value + index]!);
    return true;
  }

  /** Keeps the tokens of the piece that was not found, the last of `out`. */
  store(text: string, from: number, to: number, out: TokenList, count: number): void {
    if (count > valueTokens) return;
    const slot = this.#slot;
    for (let at = from; at < to; at++) this.#keys[slot * keyUnits + at - from] = text.charCodeAt(at);
    this.#keyLengths[slot] = to - from;
    for (let index = 0; index < count; index++)
      this.#values[slot * valueTokens + index] = out.at(out.length - count + index);
    this.#valueLengths[slot] = count;
  }
}
