/** Tasks from a corpus: its questions asked of the passage, of the whole article, and of all passages one after another. */
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Corpus, CorpusQuestion } from "./corpus.ts";
import type { Task } from "./task.ts";
import { Draw } from "./words.ts";

/** What a question is asked of. */
export const SCOPES = ["paragraph", "article", "collection"] as const;
export type Scope = (typeof SCOPES)[number];

/** Tokens of an answer at most: SQuAD's are a few words. */
const ANSWER_TOKENS = 32;
/** What stands between two passages. */
const BETWEEN = "\n\n";

/** A text that many questions are asked of is put together and tokenized once. */
interface Text {
  readonly text: string;
  readonly tokens: Int32Array;
  /** Where each passage begins. */
  readonly starts: ReadonlyMap<number, number>;
}

/** Makes the tasks of a corpus. */
export class CorpusTasks {
  readonly corpus: Corpus;
  readonly #tokenizer: Tokenizer;
  #last: { key: string; text: Text } | undefined;
  #order: { seed: number; questions: readonly CorpusQuestion[]; passages: readonly number[] } | undefined;

  constructor(corpus: Corpus, tokenizer: Tokenizer) {
    this.corpus = corpus;
    this.#tokenizer = tokenizer;
  }

  /**
   * @param seed shuffles the questions and the passages of the collection
   * @param index below the number of questions
   */
  make(scope: Scope, seed: number, index: number): Task {
    const order = this.#shuffled(seed);
    const { question, answers, passages } = order.questions[index]!;
    const chosen = {
      paragraph: () => passages,
      article: () => this.#article(passages),
      collection: () => order.passages,
    };
    const { text, tokens, starts } = this.#text(chosen[scope]());
    return {
      text,
      tokens,
      question,
      answers,
      match: "squad",
      maxTokens: ANSWER_TOKENS,
      evidence: this.#evidence(text, starts, passages, answers),
      passage: passages.map((passage) => this.corpus.passages[passage]!.text).join(BETWEEN),
    };
  }

  #shuffled(seed: number) {
    if (this.#order?.seed === seed) return this.#order;
    const draw = new Draw(seed);
    const questions = draw.shuffled(this.corpus.questions);
    this.#order = { seed, questions, passages: draw.shuffled([...this.corpus.passages.keys()]) };
    return this.#order;
  }

  /** All passages of the articles that these belong to, in the file's order. */
  #article(passages: readonly number[]): number[] {
    const all = this.corpus.passages;
    const articles = new Set(passages.map((passage) => all[passage]!.article));
    return [...all.keys()].filter((passage) => articles.has(all[passage]!.article));
  }

  #text(passages: readonly number[]): Text {
    const key = passages.join();
    if (this.#last?.key === key) return this.#last.text;
    const starts = new Map<number, number>();
    let text = "";
    for (const passage of passages) {
      if (text !== "") text += BETWEEN;
      starts.set(passage, text.length);
      text += this.corpus.passages[passage]!.text;
    }
    this.#last = { key, text: { text, tokens: this.#tokenizer.encode(text), starts } };
    return this.#last.text;
  }

  /** Where the first of the answers stands in the passages that the question was asked of. */
  #evidence(
    text: string,
    starts: Text["starts"],
    passages: readonly number[],
    answers: readonly string[],
  ): Task["evidence"] {
    for (const passage of passages) {
      for (const answer of answers) {
        const at = this.corpus.passages[passage]!.text.indexOf(answer);
        if (at < 0) continue;
        return [tokensOf(this.#tokenizer, text, starts.get(passage)! + at, answer.length)];
      }
    }
    return [];
  }
}

/** The tokens that hold some characters of a text: from the first to before the end. */
export function tokensOf(tokenizer: Tokenizer, text: string, start: number, length: number) {
  // The space before a word belongs to the word's first token.
  const first = tokenizer.encode(text.slice(0, Math.max(0, start - 1))).length;
  return { first, end: tokenizer.encode(text.slice(0, start + length)).length };
}
