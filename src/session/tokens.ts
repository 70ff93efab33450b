/** Tokens as callers hand them over, checked one by one before any is read. */
import { ArgumentError } from "../errors.ts";
import { show } from "../show.ts";

/** More than any session can read. */
const MOST_TOKENS = 2 ** 31;

/** Whether a value is a list of numbers, of whatever kind. */
export function isTokenList(value: unknown): value is ArrayLike<number | bigint> {
  if (Array.isArray(value)) return value.every((item) => typeof item === "number" || typeof item === "bigint");
  return ArrayBuffer.isView(value) && !(value instanceof DataView);
}

/**
 * A copy of tokens.
 * @param tokens any list of whole numbers: an array, a typed array (of 64 bits too), or another object with a length
 * @param checkLength hears how many there are before they are read
 * @throws ArgumentError for something else, and for the first token that is no whole number below `vocabularySize`
 */
export function checkedTokens(
  tokens: unknown,
  vocabularySize: number,
  checkLength?: (length: number) => void,
): Int32Array {
  const list = tokens as ArrayLike<unknown>;
  if (typeof tokens !== "object" || tokens === null || !isLength(list.length)) {
    throw new ArgumentError(`Tokens should be a list of whole numbers and are ${show(tokens)}`);
  }
  checkLength?.(list.length);
  const checked = new Int32Array(list.length);
  for (let index = 0; index < checked.length; index++) {
    const given = list[index];
    const token = typeof given === "bigint" ? Number(given) : given;
    if (typeof token !== "number" || !Number.isInteger(token) || token < 0 || token >= vocabularySize) {
      throw new ArgumentError(
        `Token ${show(given)} at index ${index} is not one of the vocabulary's, 0 to ${vocabularySize - 1}`,
      );
    }
    checked[index] = token;
  }
  return checked;
}

function isLength(length: unknown): length is number {
  return typeof length === "number" && Number.isInteger(length) && length >= 0 && length < MOST_TOKENS;
}
