/** The words that an answer looked at, as whole sentences, with their places in the documents. */
import type { Model } from "../session/model.ts";
import type { Source } from "../session/sources.ts";
import { StreamDecoder } from "../tokenizer/stream-decoder.ts";

/** A piece of a document. */
export interface Quote {
  readonly document: string;
  readonly text: string;
  /** In characters of the document, its line ends counted as one: from the first to before the last. */
  readonly start: number;
  readonly end: number;
  /** How sharply the answer looked at it, 0 to 1. */
  readonly weight: number;
}

/** Where a document begins in the text that was read. */
export interface DocumentStart {
  readonly name: string;
  readonly start: number;
}

/** Characters of a quote beyond which it is not widened to the sentence's ends. */
const LONGEST = 240;

/** Quotes from a text that was read in one go. */
export class Quotes {
  readonly #text: string;
  readonly #documents: readonly DocumentStart[];
  readonly #first: number;
  /** Where each token's text ends. */
  readonly #ends: Uint32Array;

  /**
   * @param text all of it
   * @param documents in the order of the text
   * @param first the position of the text's first token
   */
  constructor(
    { tokenizer }: Pick<Model, "tokenizer">,
    text: string,
    documents: readonly DocumentStart[],
    first: number,
  ) {
    this.#text = text;
    this.#documents = documents;
    this.#first = first;
    const decoder = new StreamDecoder(tokenizer, { skipSpecial: false });
    let end = 0;
    this.#ends = Uint32Array.from(tokenizer.encode(text), (token) => {
      end += decoder.push(token).length;
      return end;
    });
  }

  /** @param sources of an answer, in the positions of the session that read the text */
  of(sources: readonly Source[]): Quote[] {
    const quotes: Quote[] = [];
    for (const { start, end, weight } of sources) {
      const from = start <= this.#first ? 0 : (this.#ends[start - this.#first - 1] ?? this.#text.length);
      const to = this.#ends[end - this.#first - 1] ?? this.#text.length;
      if (to <= from) continue;
      const document = this.#documents.findLast(({ start }) => start <= from) ?? this.#documents[0]!;
      const [first, last] = sentence(this.#text, from, to, document.start);
      if (quotes.some((quote) => quote.start === first - document.start && quote.document === document.name)) continue;
      quotes.push({
        document: document.name,
        text: this.#text.slice(first, last),
        start: first - document.start,
        end: last - document.start,
        weight: Math.round(weight * 1000) / 1000,
      });
    }
    return quotes;
  }
}

/** A stretch widened to the ends of its sentences and lines, where these are near, without the white space around it. */
function sentence(text: string, from: number, to: number, least: number): [start: number, end: number] {
  const room = Math.max(0, LONGEST - (to - from));
  const before = text.slice(Math.max(least, from - room), from);
  const after = text.slice(to, to + room);
  const begin = [...before.matchAll(/[.!?]["”’)]?\s|\n/g)].at(-1);
  const end = /[.!?]["”’)]?(?=\s|$)|\n/.exec(text.slice(Math.max(from, to - 2), to + room));
  let start = begin
    ? from - before.length + begin.index + begin[0].length
    : before.length < room
      ? from - before.length
      : wordStart(text, from, least);
  let stop = end
    ? Math.max(from, to - 2) + end.index + end[0].length
    : after.length < room
      ? to + after.length
      : wordEnd(text, to);
  while (start < stop && /\s/.test(text[start]!)) start++;
  while (stop > start && /\s/.test(text[stop - 1]!)) stop--;
  return [start, stop];
}

function wordStart(text: string, at: number, least: number): number {
  let start = at;
  while (start > least && /\S/.test(text[start - 1]!)) start--;
  return start;
}

function wordEnd(text: string, at: number): number {
  let end = at;
  while (end < text.length && /\S/.test(text[end]!)) end++;
  return end;
}
