/** RULER's needles in a haystack: words or UUIDs that have magic numbers, hidden in noise, prose or other needles. */
import { essay } from "./essay.ts";
import type { RulerTask } from "./ruler-task.ts";
import type { Draw } from "./words.ts";

type Kind = "words" | "numbers" | "uuids";

/** What RULER calls type_haystack, type_needle_k, type_needle_v, num_needle_k, num_needle_v and num_needle_q. */
interface Settings {
  readonly haystack: "noise" | "essay" | "needle";
  readonly keys?: Kind;
  readonly values?: Kind;
  readonly keyCount?: number;
  readonly valueCount?: number;
  readonly queryCount?: number;
}

export const NOISE = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";
/** Needles stand at different ones of 40 depths from the first sentence to behind the last. */
const DEPTHS = Array.from({ length: 40 }, (_, index) => Math.round((index * 100) / 39) / 100);

/** One of the eight tasks of this kind. */
export function needles(settings: Settings): RulerTask {
  const { haystack, keys = "words", values = "numbers", keyCount = 1, valueCount = 1, queryCount = 1 } = settings;
  return {
    maxTokens: 128,
    least: keyCount * valueCount,
    build(draw, units) {
      const needle = (key: string, value: string) => `One of the special magic ${values} for ${key} is: ${value}.`;
      const hidden = draw
        .distinct(keyCount, () => drawn(draw, keys))
        .map((key) => ({
          key,
          values: draw.distinct(valueCount, () => drawn(draw, values)),
        }));
      const sentences = draw.shuffled(hidden.flatMap(({ key, values }) => values.map((value) => needle(key, value))));
      const asked = draw.shuffled(hidden).slice(0, queryCount);
      const query = listed(asked.map(({ key }) => key));
      const answers = asked.flatMap(({ values }) => values);
      const context =
        haystack === "essay"
          ? inEssay(draw, essay(units), sentences)
          : inLines(
              draw,
              Array.from({ length: units }, () =>
                haystack === "noise" ? NOISE : needle(drawn(draw, keys), drawn(draw, values)),
              ),
              sentences,
            );
      const evidence = asked.flatMap(({ key, values }) =>
        values.map((words) => ({ words, within: needle(key, words) })),
      );
      const common = { answers, match: "all" as const, evidence };
      const passage = evidence.map(({ within }) => within).join(" ");
      if (queryCount * valueCount === 1) {
        const one = values.slice(0, -1);
        const question = `What is the special magic ${one} for ${query} mentioned in the provided text`;
        const before = `A special magic ${one} is hidden within the following text. Make sure to memorize it. I will quiz you about the ${one} afterwards.\n`;
        return {
          text: before + context,
          question: `${question}?`,
          answerStart: ` The special magic ${one} for ${query} mentioned in the provided text is`,
          ...common,
          passage: before + passage,
        };
      }
      const before = `Some special magic ${values} are hidden within the following text. Make sure to memorize it. I will quiz you about the ${values} afterwards.\n`;
      return {
        text: before + context,
        question: `What are all the special magic ${values} for ${query} mentioned in the provided text?`,
        answerStart: ` The special magic ${values} for ${query} mentioned in the provided text are`,
        ...common,
        passage: before + passage,
      };
    },
  };
}

function drawn(draw: Draw, kind: Kind): string {
  if (kind === "numbers") return draw.digits(7);
  return kind === "words" ? draw.wordPair() : draw.uuid();
}

/** "a", or "a, b, and c". */
function listed(names: readonly string[]): string {
  return names.length === 1 ? names[0]! : `${names.slice(0, -1).join(", ")}, and ${names.at(-1)}`;
}

/** Sentences at random lines. */
function inLines(draw: Draw, lines: string[], sentences: readonly string[]): string {
  const places = draw.sample(lines.length, sentences.length).sort((a, b) => b - a);
  for (const [index, place] of places.entries()) lines.splice(place, 0, sentences[index]!);
  return lines.join("\n");
}

/** Sentences at random depths of a text. */
function inEssay(draw: Draw, text: readonly string[], sentences: readonly string[]): string {
  const depths = draw
    .sample(DEPTHS.length, sentences.length)
    .map((index) => Math.trunc(text.length * DEPTHS[index]!))
    .sort((a, b) => a - b);
  const parts = depths.flatMap((place, index) => [...text.slice(depths[index - 1] ?? 0, place), sentences[index]!]);
  return [...parts, ...text.slice(depths.at(-1))].join(" ");
}
