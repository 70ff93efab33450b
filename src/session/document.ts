/** A document as the reader takes it: a string, tokens, or pieces of text as they arrive, turned into pieces of tokens. */
import { ArgumentError } from "../errors.ts";
import { show } from "../show.ts";
import type { DocumentEncoder, DocumentEnd } from "../tokenizer/prompt-parts.ts";
import { pauses } from "./pause.ts";
import { checkedTokens, isTokenList } from "./tokens.ts";

/** What `session.read` accepts. */
export type DocumentText = string | ArrayLike<number | bigint> | AsyncIterable<string> | Iterable<string>;

/** A document on its way to the reader. */
export interface DocumentTokens {
  /** Tokens before the document. */
  readonly head: Int32Array;
  /** Head and document in pieces. */
  readonly tokens: AsyncIterable<Int32Array>;
  /** How many there are in all, where that is known. */
  readonly total: number | undefined;
  /** How the document ended, once all tokens have come; undefined for one that was given as tokens. */
  readonly end: () => DocumentEnd | undefined;
}

/**
 * @param begin makes the encoder for a document's text; the tokens before a document that is tokens
 * @param signal stops the encoding of a long string
 */
export async function documentTokens(
  text: DocumentText,
  begin: { readonly text: () => DocumentEncoder; readonly tokens: () => Int32Array },
  vocabularySize: number,
  signal: AbortSignal,
): Promise<DocumentTokens> {
  if (typeof text !== "string" && isTokenList(text)) {
    const head = begin.tokens();
    return { ...known(head, [checkedTokens(text, vocabularySize)]), end: () => undefined };
  }
  if (
    typeof text !== "string" &&
    (typeof text !== "object" || text === null || (!(Symbol.asyncIterator in text) && !(Symbol.iterator in text)))
  ) {
    throw new ArgumentError("A document should be a string, tokens, or an iterable of strings");
  }
  const encoder = begin.text();
  let end: DocumentEnd | undefined;
  async function* encoded(pieces: AsyncIterable<string> | Iterable<string>) {
    for await (const piece of pieces) {
      if (typeof piece !== "string")
        throw new ArgumentError(`A piece of a document should be a string and is ${show(piece)}`);
      yield* encoder.push(piece);
    }
    end = yield* encoder.end();
  }
  if (typeof text === "string") {
    const parts: Int32Array[] = [];
    const breathe = pauses();
    for await (const part of encoded([text])) {
      parts.push(part);
      signal.throwIfAborted();
      await breathe();
    }
    return { ...known(encoder.head, parts), end: () => end };
  }
  const tokens = (async function* () {
    yield encoder.head;
    yield* encoded(text as AsyncIterable<string>);
  })();
  return { head: encoder.head, tokens, total: undefined, end: () => end };
}

function known(head: Int32Array, parts: readonly Int32Array[]) {
  return {
    head,
    tokens: (async function* () {
      yield head;
      yield* parts;
    })(),
    total: parts.reduce((sum, part) => sum + part.length, head.length),
  };
}
