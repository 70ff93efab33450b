/** A document as the reader takes it: a string, tokens, or pieces of text as they arrive, turned into pieces of tokens. */
import { ArgumentError } from "../errors.ts";
import { StreamEncoder } from "../tokenizer/stream-encoder.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { checkedTokens, isTokenList } from "./tokens.ts";

/** What `session.read` accepts. */
export type DocumentText = string | ArrayLike<number | bigint> | AsyncIterable<string> | Iterable<string>;

/** @returns the head and the document's tokens in pieces, and how many there are in all, if that is known */
export function documentTokens(
  text: DocumentText,
  head: Int32Array,
  tokenizer: Tokenizer,
  vocabularySize: number,
): { tokens: AsyncIterable<Int32Array>; total: number | undefined } {
  if (typeof text === "string") return whole(head, tokenizer.encode(text));
  if (isTokenList(text)) return whole(head, checkedTokens(text, vocabularySize));
  if (typeof text !== "object" || text === null || (!(Symbol.asyncIterator in text) && !(Symbol.iterator in text))) {
    throw new ArgumentError("A document should be a string, tokens, or an iterable of strings");
  }
  return { tokens: encoded(text as AsyncIterable<string>, head, tokenizer), total: undefined };
}

function whole(head: Int32Array, document: Int32Array) {
  return {
    tokens: (async function* () {
      yield head;
      yield document;
    })(),
    total: head.length + document.length,
  };
}

async function* encoded(pieces: AsyncIterable<string>, head: Int32Array, tokenizer: Tokenizer) {
  yield head;
  const encoder = new StreamEncoder(tokenizer);
  for await (const piece of pieces) {
    if (typeof piece !== "string")
      throw new ArgumentError(`A piece of a document should be a string and is ${typeof piece}`);
    yield encoder.push(piece);
  }
  yield encoder.flush();
}
