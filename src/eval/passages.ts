/** What people do without a compressed cache: cut a text into passages and read those that BM25 finds for the question. */
import MiniSearch from "minisearch";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";

/** Tokens of a passage at most: several of them fit a budget of some hundreds. */
const PASSAGE_TOKENS = 128;

/**
 * The passages of a text that fit a question best (Okapi BM25: k1 1.2, b 0.75), in the order of the text.
 * @param budget tokens of all passages together, at most
 * @returns "" where no passage shares a word with the question
 */
export function bestPassages(tokenizer: Tokenizer, text: string, question: string, budget: number): string {
  const passages = cut(tokenizer, text, Math.min(budget, PASSAGE_TOKENS));
  const index = new MiniSearch<{ id: number; text: string }>({ fields: ["text"] });
  index.addAll(passages.map(({ text }, id) => ({ id, text })));
  const chosen: number[] = [];
  let left = budget;
  for (const { id } of index.search(question, { bm25: { k: 1.2, b: 0.75, d: 0 } })) {
    const { tokens } = passages[id]!;
    if (tokens > left) continue;
    left -= tokens;
    chosen.push(id);
  }
  return chosen
    .sort((a, b) => a - b)
    .map((id) => passages[id]!.text.trim())
    .join("\n");
}

/** Whole sentences up to so many tokens together; a sentence that is longer alone is cut between words. */
function cut(tokenizer: Tokenizer, text: string, most: number): { text: string; tokens: number }[] {
  const passages: { text: string; tokens: number }[] = [];
  const count = (part: string) => tokenizer.encode(part).length;
  const add = (part: string) => {
    const last = passages.at(-1);
    const joined = last && { text: last.text + part, tokens: count(last.text + part) };
    if (joined && joined.tokens <= most) passages[passages.length - 1] = joined;
    else passages.push({ text: part, tokens: count(part) });
  };
  for (const { segment } of new Intl.Segmenter("en", { granularity: "sentence" }).segment(text)) {
    if (count(segment) <= most) add(segment);
    else for (const word of segment.match(/\s*\S+\s*/g) ?? []) add(word);
  }
  return passages;
}
