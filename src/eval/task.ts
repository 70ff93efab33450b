/** A document, what is asked about it, and how the answer is scored: what every kind of task comes to. */

/** A document and a question about it. */
export interface Task {
  readonly text: string;
  readonly tokens: Int32Array;
  readonly question: string;
  /** How the answer begins, given to the model behind the question: RULER's `answer_prefix`. */
  readonly answerStart?: string;
  readonly answers: readonly string[];
  /** Whether a right answer contains every one of the answers, any of them, or is compared with each as SQuAD does. */
  readonly match: "all" | "any" | "squad";
  /** Tokens that the answer may have. */
  readonly maxTokens: number;
  /** Tokens of the answers where they stand in the text: from the first to before the end. None where the whole text is the evidence. */
  readonly evidence: readonly { readonly first: number; readonly end: number }[];
  /** The part of the text that holds all that the question needs; none where that is the whole text. */
  readonly passage?: string;
}
