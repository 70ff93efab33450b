/** What makes tokens of a piece of text, window by window, so that a piece of any length takes bounded time and memory at once. */
import type { TokenList } from "../tokens.ts";

/** The last step of a tokenizer: pieces to tokens. */
export interface PieceModel {
  /** UTF-16 units to give `advance` at first. */
  readonly window: number;
  /** A whole piece of a few characters. */
  encodeShort(text: string, from: number, to: number, out: TokenList): void;
  /**
   * Puts out tokens from the beginning of `text` at `from` that are certain whatever stands behind `to`.
   *
   * @param isFirst whether the piece begins at `from`
   * @param isLast whether it ends at `to`
   * @returns how far they reach; `from` when none is certain
   */
  advance(text: string, from: number, to: number, isFirst: boolean, isLast: boolean, out: TokenList): number;
}

/** Pieces up to this many UTF-16 units are short. */
export const longestShort = 64;
