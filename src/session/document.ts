/** A document as the reader takes it: a string, tokens, or pieces of text as they arrive, turned into pieces of tokens. */
import { ArgumentError } from "../errors.ts";
import { gathered } from "../pause.ts";
import { show } from "../show.ts";
import type { DocumentEnd } from "../tokenizer/prompt-frame.ts";
import { noTokens } from "../tokenizer/tokens.ts";
import type { Passes } from "./passes.ts";
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
 * @param passes what the document is read into
 * @param signal stops the encoding of a long string
 */
export async function documentTokens(text: DocumentText, passes: Passes, signal: AbortSignal): Promise<DocumentTokens> {
  const { config } = passes.engine;
  const isEmpty = passes.cache.absolutePosition === 0;
  if (typeof text !== "string" && isTokenList(text)) {
    const tokens = checkedTokens(text, config.vocabularySize);
    const head = isEmpty ? passes.engine.frameForTokens?.head : passes.heldBack;
    return { ...known(head ?? noTokens, [tokens]), end: () => undefined };
  }
  if (
    typeof text !== "string" &&
    (typeof text !== "object" || text === null || (!(Symbol.asyncIterator in text) && !(Symbol.iterator in text)))
  ) {
    throw new ArgumentError("A document should be a string, tokens, or an iterable of strings");
  }
  const { frame } = passes.engine;
  const encoder = isEmpty ? frame.begin() : frame.goOn(passes.documentEnd);
  const { head } = encoder;
  let end: DocumentEnd | undefined;
  if (typeof text === "string") {
    const steps = (function* () {
      yield* encoder.push(text);
      end = yield* encoder.end();
    })();
    return { ...known(head, await gathered(steps, signal)), end: () => end };
  }
  const tokens = (async function* () {
    yield head;
    for await (const piece of text as AsyncIterable<string>) {
      if (typeof piece !== "string")
        throw new ArgumentError(`A piece of a document should be a string and is ${show(piece)}`);
      yield* encoder.push(piece);
    }
    end = yield* encoder.end();
  })();
  return { head, tokens, total: undefined, end: () => end };
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
