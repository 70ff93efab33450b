/** RULER's tracing and counting: variables handed on in noise, and lists of words some of which appear more often. */

import { NOISE } from "./ruler-needles.ts";
import type { RulerTask } from "./ruler-task.ts";
import type { Draw } from "./words.ts";

/** A chain of variables among noise, below an example of the same with its answer (RULER's vt). */
export function variables({ hops }: { readonly hops: number }): RulerTask {
  const prompt = (draw: Draw, noises: number, letters: number) => {
    const names = draw.distinct(hops + 1, () => draw.variable(letters));
    const value = String(draw.whole(10_000, 99_998));
    const links = names.map((name, index) => `VAR ${name} = ${index === 0 ? value : `VAR ${names[index - 1]} `}`);
    const lines = Array.from({ length: noises }, () => NOISE);
    const places = draw.sample(noises, links.length).sort((a, b) => a - b);
    for (const [index, place] of places.entries()) lines.splice(place + index, 0, links[index]!);
    return {
      names,
      links,
      text: `Memorize and track the chain(s) of variable assignment hidden in the following text.\n\n${lines.join("\n")}`,
      question: `Question: Find all variables that are assigned the value ${value} in the text above.`,
      answerStart: ` Answer: According to the chain(s) of variable assignment in the text above, ${hops + 1} variables are assigned the value ${value}, they are: `,
    };
  };
  return {
    maxTokens: 30,
    least: hops + 1,
    build(draw, units) {
      const shown = prompt(draw, hops + 1, 3);
      const example = `${shown.text}\n${shown.question}${shown.answerStart} ${shown.names.join(" ")}\n\n`;
      const { names, links, text, question, answerStart } = prompt(draw, units, 5);
      const evidence = names.map((words, index) => ({ words: `VAR ${words} =`, within: links[index]! }));
      const passage = `${example}${text.slice(0, text.indexOf("\n\n"))}\n\n${links.join("\n")}`;
      return { text: example + text, question, answerStart, answers: names, match: "all", evidence, passage };
    },
  };
}

/** Common words of a list to be named, and its few-shot example. */
const COMMON = 10;

/** A numbered list of words, ten of which appear thirty times and the others three times (RULER's cwe). */
export const commonWords: RulerTask = {
  maxTokens: 120,
  least: COMMON + 1,
  build(draw, units, room) {
    const short = room < 4096 - 120;
    const [shown, asked] = short
      ? [wordList(draw, 20, 3, 1), wordList(draw, units, 6, 1)]
      : [wordList(draw, 40, 10, 3), wordList(draw, units, 30, 3)];
    const before =
      "Below is a numbered list of words. In these words, some appear more often than others. Memorize the ones that appear most often.\n";
    const question = "Question: What are the 10 most common words in the above list?";
    const answerStart = " Answer: The top 10 words that appear most often in the list are:";
    const example = `${before}${shown.list}\n${question}${answerStart} ${numbered(shown.common)}`;
    return {
      text: `${example}\n${before}${asked.list}`,
      question,
      answerStart,
      answers: asked.common,
      match: "all",
    };
  },
};

function wordList(draw: Draw, count: number, commonRepeats: number, otherRepeats: number) {
  const words = draw.words(count);
  const repeated = words.flatMap((word, index) =>
    Array.from({ length: index < COMMON ? commonRepeats : otherRepeats }, () => word),
  );
  return { list: numbered(draw.shuffled(repeated)), common: words.slice(0, COMMON) };
}

function numbered(words: readonly string[]): string {
  return words.map((word, index) => `${index + 1}. ${word}`).join(" ");
}

/** Letters of a coded word. */
const CODED = 6;

/** Coded words that appear as often as a zeta distribution says, the most frequent of them dots (RULER's fwe). */
export function frequentWords({ alpha }: { readonly alpha: number }): RulerTask {
  return {
    maxTokens: 50,
    least: 40,
    build(draw, units, room) {
      const vocabulary = draw.distinct(Math.max(4, Math.floor(room / 50)), () => draw.letters(CODED));
      vocabulary[0] = "...";
      const text = draw.shuffled(
        vocabulary.flatMap((word, rank) =>
          Array.from({ length: Math.trunc((units * (rank + 1) ** -alpha) / zeta(alpha)) }, () => word),
        ),
      );
      return {
        text: `Read the following coded text and track the frequency of each coded word. Find the three most frequently appeared coded words. ${text.join(" ")}`,
        question:
          "Question: Do not provide any explanation. Please ignore the dots '....'. What are the three most frequently appeared words in the above coded text?",
        answerStart: " Answer: According to the coded text above, the three most frequently appeared words are:",
        answers: vocabulary.slice(1, 4),
        match: "all",
      };
    },
  };
}

/** Riemann's zeta function above 1: a sum, and the integral and half a term for what follows it. */
function zeta(alpha: number): number {
  const terms = 10_000;
  let sum = 0;
  for (let k = 1; k < terms; k++) sum += k ** -alpha;
  return sum + terms ** (1 - alpha) / (alpha - 1) + terms ** -alpha / 2;
}
