/** What each of RULER's tasks says of itself. */
import type { Draw } from "./words.ts";

/** A prompt of RULER's, cut where a document ends and the question begins. */
export interface RulerPrompt {
  /** RULER's words before the context, and the context. */
  readonly text: string;
  readonly question: string;
  readonly answerStart: string;
  readonly answers: readonly string[];
  readonly match: "all" | "any";
  /** Stretches of `text` that hold the answers, and the part of it that is all the question needs. */
  readonly evidence?: readonly { readonly words: string; readonly within: string }[];
  readonly passage?: string;
}

/** One of the tasks. */
export interface RulerTask {
  /** Tokens of the answer, which count as part of the length. */
  readonly maxTokens: number;
  /** The fewest units of context that make a prompt. */
  readonly least: number;
  /**
   * @param units how long the context is to be: sentences, words or documents
   * @param room tokens for prompt and answer start
   */
  build(draw: Draw, units: number, room: number): RulerPrompt;
}
