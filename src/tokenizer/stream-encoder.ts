/** Text in pieces of any size to tokens, holding back no more than a safe cut needs. */
import { lastSafeCut } from "./splitting.ts";
import type { Tokenizer } from "./tokenizer.ts";

/**
 * Encodes a text that arrives in pieces; the tokens it returns, joined, are `encode` of the whole text.
 *
 * It holds the text after the last safe cut: a word or so of ordinary writing. A run without one (letters alone, say) is one piece to
 * the pre-tokenizer, so its tokens can depend on its last character and it is held in full; so is every text where
 * `tokenizer.cutsAreSafe` is false.
 */
export class StreamEncoder {
  readonly #tokenizer: Tokenizer;
  #held: string[] = [];
  // The last two units of what is held: all that a cut at the beginning of the next piece needs to see.
  #context = "";

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** The tokens that are certain after this piece, which may end anywhere, even between surrogates. */
  push(piece: string): Int32Array {
    const { length } = this.#context;
    const cut = this.#tokenizer.cutsAreSafe ? lastSafeCut(this.#context + piece, length) : -1;
    if (cut < 0) {
      this.#held.push(piece);
      this.#context = (this.#context + piece).slice(-2);
      return new Int32Array(0);
    }
    const done = this.#held.join("") + piece.slice(0, cut - length);
    const rest = piece.slice(cut - length);
    this.#held = [rest];
    this.#context = rest.slice(-2);
    return this.#tokenizer.encode(done);
  }

  /** The remaining tokens when the text has ended; the encoder can then take another text. */
  flush(): Int32Array {
    const rest = this.#held.join("");
    this.#held = [];
    this.#context = "";
    return this.#tokenizer.encode(rest);
  }
}
