/** Makes documents of a wanted length with something planted in them, and what to ask about it. */
import { ArgumentError } from "../errors.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { type Kind, kinds } from "./kinds.ts";
import prose from "./prose.txt";
import { Draw } from "./words.ts";

/** A document and a question about it. */
export interface Task {
  readonly kind: Kind;
  readonly text: string;
  readonly tokens: Int32Array;
  readonly question: string;
  /** What a right answer contains, every one of them. */
  readonly answers: readonly string[];
  /** Tokens of the answers where they stand in the text: from the first to before the end. */
  readonly evidence: readonly { readonly first: number; readonly end: number }[];
}

/** Tokens that may be missing at the end: the prose has sentences as short as this. */
const SPARE = 12;

/** A passage of the prose, in sentences: a quotation may end behind the full stop. */
const passages = prose
  .trim()
  .split("\n")
  .map((line) => line.split(/(?<=[.!?]"?) /));

/**
 * Sentences of public-domain prose (L. Frank Baum, The Life and Adventures of Santa Claus, 1902), its passages shuffled and
 * repeated as needed, with the planted sentences at random places between them.
 * @param length tokens of the document; it comes out within 2%
 * @param seed a whole number; the same one gives the same task
 * @param index which of a seed's tasks
 * @throws ArgumentError for a length that does not hold what is planted
 */
export function makeTask(tokenizer: Tokenizer, kind: Kind, length: number, seed: number, index: number): Task {
  const draw = new Draw(Math.imul(seed, 65_537) + index);
  const { sentences, question, answers, evidence } = kinds[kind](draw);
  const count = (sentence: string) => tokenizer.encode(` ${sentence}`).length;
  const room = length - sentences.reduce((sum, sentence) => sum + count(sentence), 0);
  const filling = fill(draw, room, count);
  if (filling.length < sentences.length) {
    throw new ArgumentError(`${length} tokens of text are too few for ${sentences.length} planted sentences`);
  }
  const places = draw
    .shuffled([...filling.keys()])
    .slice(0, sentences.length)
    .sort((a, b) => a - b);
  const starts: number[] = [];
  let text = "";
  let next = 0;
  for (const [place, sentence] of filling.entries()) {
    if (place === places[next]) {
      starts.push(text === "" ? 0 : text.length + 1);
      text = append(text, sentences[next++]!);
    }
    text = append(text, sentence);
  }
  return {
    kind,
    text,
    tokens: tokenizer.encode(text),
    question,
    answers,
    evidence: evidence.map(({ sentence, words }) => {
      const start = starts[sentence]! + sentences[sentence]!.lastIndexOf(words);
      // The space before a word belongs to the word's first token.
      const first = tokenizer.encode(text.slice(0, Math.max(0, start - 1))).length;
      return { first, end: tokenizer.encode(text.slice(0, start + words.length)).length };
    }),
  };
}

/** Whole sentences for so many tokens. */
function fill(draw: Draw, room: number, count: (sentence: string) => number): string[] {
  const chosen: string[] = [];
  let left = room;
  while (left >= SPARE) {
    for (const sentence of draw.shuffled(passages).flat()) {
      const tokens = count(sentence);
      // A long sentence is passed over near the end, for a shorter one.
      if (tokens > left) continue;
      chosen.push(sentence);
      left -= tokens;
      if (left < SPARE) return chosen;
    }
  }
  return chosen;
}

function append(text: string, sentence: string): string {
  return text === "" ? sentence : `${text} ${sentence}`;
}
