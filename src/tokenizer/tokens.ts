/** Lists of tokens: one that grows, and several as one. */

export const noTokens = new Int32Array(0);

/** All tokens of several lists. */
export function joined(lists: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(lists.reduce((sum, list) => sum + list.length, 0));
  let at = 0;
  for (const list of lists) {
    all.set(list, at);
    at += list.length;
  }
  return all;
}

/** Takes tokens one by one. */
export class TokenList {
  #tokens = new Int32Array(64);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  at(index: number): number {
    return this.#tokens[index]!;
  }

  push(token: number): void {
    if (this.#length === this.#tokens.length) {
      const larger = new Int32Array(this.#length * 2);
      larger.set(this.#tokens);
      this.#tokens = larger;
    }
    this.#tokens[this.#length++] = token;
  }

  /** All that was pushed since the last time. */
  take(): Int32Array {
    const tokens = this.#tokens.slice(0, this.#length);
    this.#length = 0;
    return tokens;
  }
}
