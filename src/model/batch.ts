/** What a forward pass is asked to do. */
import { ArgumentError } from "../errors.ts";

/** What a forward pass reads: text that enters the cache, and questions run behind it that leave no trace. */
export interface Batch {
  /** Tokens appended to the cache; each sees the cache and those before it. */
  readonly text: Int32Array;
  /** Token rows run behind cache and text, each blind to the others. */
  readonly questions?: readonly Int32Array[];
  /** Where the questions' attention to the entries is written. */
  readonly scoring?: Scoring;
  /** Where copies of what enters attention are written. */
  readonly record?: Recording | undefined;
  /** Rows whose logits are wanted; where there are none, the last layer stops at its keys, values and scores. */
  readonly logits?: { readonly first: number; readonly count: number } | undefined;
}

/** Scores of the cache's entries (the text's included) by what the questions' tokens see in them. */
export interface Scoring {
  /** Address of f32 scores for a layer and KV head, zero at first, with room for the entries rounded up to a page. */
  readonly target: (layer: number, head: number) => number;
  /** Factor of each question token, summed; undefined: an entry's score is the sharpest weight it gets. */
  readonly factors: Float32Array | undefined;
}

/** Copies of some of a batch's rows as they enter attention, before rotation; addresses of f32, 0 where not wanted. */
export interface Recording {
  readonly firstRow: number;
  readonly rows: number;
  /** [layers][rows][queryHeads · headSize] */
  readonly queries: number;
  /** [layers][rows][kvHeads · headSize] */
  readonly keys: number;
  /** Hidden states behind the attention norm: [layers][rows][hiddenSize]. */
  readonly normed: number;
}

/** Rows of a batch: of its text and of all its questions. */
export function rowsOf({ text, questions = [] }: Batch): number {
  return questions.reduce((sum, question) => sum + question.length, text.length);
}

/** Whether a batch is one row of decoding, which has kernels of its own. */
export function isSingle({ text, questions, scoring, record }: Batch): boolean {
  return text.length === 1 && !questions?.length && !scoring && !record;
}

/** @throws ArgumentError for a token outside the vocabulary */
export function checkTokens(tokens: Int32Array, vocabularySize: number): void {
  for (const [index, token] of tokens.entries()) {
    if (!(token >= 0 && token < vocabularySize)) {
      throw new ArgumentError(`Token ${token} at index ${index} is outside the vocabulary of ${vocabularySize}`);
    }
  }
}
