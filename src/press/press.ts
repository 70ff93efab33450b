/** What a press is: a method that chooses which entries of the cache survive. */

/** What a score press sees of one layer; arrays are copies and may be changed. */
export interface LayerEntries {
  readonly layer: number;
  readonly keyHeads: number;
  readonly headSize: number;
  /** Entries that a KV head holds. */
  length(head: number): number;
  /** [length, headSize], as rotated now. */
  keys(head: number): Float32Array;
  /** [length, headSize] */
  values(head: number): Float32Array;
  /** [length], where each entry stood in the text. */
  positions(head: number): Int32Array;
}

/** A method that scores every entry from the cache alone; the highest scores survive. */
export interface ScorePress {
  readonly kind: "score";
  readonly name: string;
  /** Scores of one layer's entries, for each KV head [length]; higher is kept. */
  score(entries: LayerEntries): readonly Float32Array[];
}

/** Entries before and after an attended one that share its score. */
export interface Reach {
  readonly before: number;
  readonly after: number;
}

/** A method that scores entries by the attention of questions run behind each chunk of a document. */
export interface QuestionPress {
  readonly kind: "question";
  readonly name: string;
  /** What keeps its own entries: each KV head, each layer, or the model as a whole. */
  readonly granularity: "head" | "layer" | "model";
  /** `sharpest`: the highest weight any question token gives; `mean`: FINCH's mean, each weight times the entries its token sees. */
  readonly pooling: "sharpest" | "mean";
  readonly reach: Reach;
  /** Whether the budget is there from the start or grows with the part of the document that has been read. */
  readonly schedule: "constant" | "linear";
}

/** Any method. */
export type Press = ScorePress | QuestionPress;
