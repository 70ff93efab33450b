/** RULER's questions about real text: the documents that hold the answer among so many others (qa_1, qa_2). */
import { ArgumentError } from "../errors.ts";
import type { Corpus } from "./corpus.ts";
import type { RulerTask } from "./ruler-task.ts";

const INSTRUCTION =
  "Answer the question based on the given documents. Only give me the answer and do not output any other words.";

/**
 * @param corpus its passages are the documents; those of the question's article come before others
 * @param index which of its questions
 * @throws ArgumentError where there are fewer
 */
export function documents(corpus: Corpus, index: number): RulerTask {
  const asked = corpus.questions[index];
  if (!asked)
    throw new ArgumentError(`${corpus.name} has ${corpus.questions.length} questions, and one more is wanted`);
  const { question, answers, passages } = asked;
  const all = corpus.passages;
  const articles = new Set(passages.map((passage) => all[passage]!.article));
  const own = new Set(passages);
  const others = [...all.keys()].filter((passage) => !own.has(passage));
  const near = others.filter((passage) => articles.has(all[passage]!.article));
  const far = others.filter((passage) => !articles.has(all[passage]!.article));
  return {
    maxTokens: 32,
    least: passages.length,
    build(draw, units) {
      const order = [...passages, ...draw.shuffled(near), ...draw.shuffled(far)];
      // Where there are not enough documents, all of them come again.
      const chosen = draw.shuffled(Array.from({ length: units }, (_, place) => order[place % order.length]!));
      const document = (passage: number, place: number) => `Document ${place + 1}:\n${all[passage]!.text}`;
      const before = `${INSTRUCTION}\n\nThe following are given documents.\n\n`;
      const gold = passages.find((passage) => answers.some((answer) => all[passage]!.text.includes(answer)));
      const words = answers.find((answer) => gold !== undefined && all[gold]!.text.includes(answer));
      return {
        text: before + chosen.map(document).join("\n\n"),
        question: `${INSTRUCTION}\n\nQuestion: ${question}`,
        answerStart: " Answer:",
        answers,
        match: "any",
        evidence: words === undefined ? [] : [{ words, within: all[gold!]!.text }],
        passage: before + passages.map(document).join("\n\n"),
      };
    },
  };
}
