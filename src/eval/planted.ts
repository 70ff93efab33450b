/** Makes documents of a wanted length with something planted in them, and what to ask about it. */
import { ArgumentError } from "../errors.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { tokensOf } from "./corpus-tasks.ts";
import { passages } from "./essay.ts";
import { type Kind, kinds } from "./kinds.ts";
import type { Task } from "./task.ts";
import { Draw } from "./words.ts";

/** Tokens of an answer at most: some words around a number of seven digits, and further numbers. */
const ANSWER_TOKENS = 32;
const MORE_TOKENS = 16;
/** Tokens that may be missing at the end: the prose has sentences as short as this. */
const SPARE = 12;

/**
 * Sentences of public-domain prose (L. Frank Baum, The Life and Adventures of Santa Claus, 1902), its passages shuffled and
 * repeated as needed, with the planted sentences at random places between them.
 * @param length tokens of the document; it comes out within 2%
 * @param seed a whole number; the same one gives the same task
 * @param index which of a seed's tasks
 * @throws ArgumentError for a length that does not hold what is planted
 */
export function makePlantedTask(tokenizer: Tokenizer, kind: Kind, length: number, seed: number, index: number): Task {
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
  const hiding = [...new Set(evidence.map(({ sentence }) => sentence))].sort((a, b) => a - b);
  return {
    text,
    tokens: tokenizer.encode(text),
    question,
    answers,
    match: "all",
    maxTokens: ANSWER_TOKENS + MORE_TOKENS * (answers.length - 1),
    evidence: evidence.map(({ sentence, words }) =>
      tokensOf(tokenizer, text, starts[sentence]! + sentences[sentence]!.lastIndexOf(words), words.length),
    ),
    passage: hiding.map((sentence) => sentences[sentence]).join(" "),
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
