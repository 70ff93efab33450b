/** Tokens to text one at a time, never showing half a character. */

/** What decoding needs of a tokenizer. */
interface TokenTexts {
  /** Whether a space at the very beginning is dropped. */
  readonly dropsFirstSpace: boolean;
  /** @throws ArgumentError when the id is not in the vocabulary */
  tokenBytes(token: number): Uint8Array;
  isSpecial(token: number): boolean;
}

/** Decodes tokens as they come; what it returns, joined, is `decode` of them all. */
export class StreamDecoder {
  readonly #tokenizer: TokenTexts;
  readonly #skipSpecial: boolean;
  // ignoreBOM: without it a U+FEFF at the beginning would vanish.
  readonly #characters = new TextDecoder("utf-8", { ignoreBOM: true });
  #beginning: boolean;

  /** @param options.skipSpecial leave special tokens out (the default) */
  constructor(tokenizer: TokenTexts, options: { skipSpecial?: boolean } = {}) {
    this.#tokenizer = tokenizer;
    this.#skipSpecial = options.skipSpecial ?? true;
    this.#beginning = tokenizer.dropsFirstSpace;
  }

  /**
   * The text that is complete with this token; empty while a character lacks bytes.
   *
   * @throws ArgumentError when the id is not in the vocabulary
   */
  push(token: number): string {
    const bytes = this.#tokenizer.tokenBytes(token);
    if (this.#skipSpecial && this.#tokenizer.isSpecial(token)) return "";
    return this.#begun(this.#characters.decode(bytes, { stream: true }));
  }

  /** What is left when no more tokens come: U+FFFD for an unfinished character, or nothing. */
  flush(): string {
    return this.#begun(this.#characters.decode());
  }

  #begun(text: string): string {
    if (!this.#beginning || text === "") return text;
    this.#beginning = false;
    return text.startsWith(" ") ? text.slice(1) : text;
  }
}
