/** What a press is: a method that chooses which entries of the cache survive, and what it sees of them. */
import type { RotaryFrequencies } from "../rotary/frequencies.ts";
import type { Target } from "./budget.ts";

/** Dense arithmetic that presses leave to the core. */
export interface Arithmetic {
  /** Products of every row of `a` with every row of `b`, rows of `depth`: [rows of a, rows of b]. */
  multiply(a: Float32Array, b: Float32Array, depth: number): Float32Array;
  /** Indices of the `keep` highest scores, ascending; ties go to the lower index. @throws NumericError when a score is NaN */
  highest(scores: Float32Array, keep: number): Int32Array;
}

/** What a layer is, and the entries of it that are seen; arrays are copies and may be changed. */
export interface LayerContent extends Arithmetic {
  readonly layer: number;
  readonly layers: number;
  readonly kvHeads: number;
  /** @deprecated until 1.0: `kvHeads` */
  readonly keyHeads?: number;
  /** Query heads that share a KV head; those of KV head h are h · group ... (h + 1) · group - 1. */
  readonly group: number;
  readonly headSize: number;
  readonly hiddenSize: number;
  /** How the layer turns queries and keys. */
  readonly frequencies: RotaryFrequencies;
  /** What the layer's products of queries and keys are multiplied with before their softmax. */
  readonly attentionScale: number;
  /** c, where c · tanh(x / c) takes the place of such a product x; undefined: none. */
  readonly scoreCap?: number | undefined;
  /** Entries that a KV head holds. */
  length(head: number): number;
  /** [length, headSize], as rotated now. */
  keys(head: number): Float32Array;
  /** [length, headSize] */
  values(head: number): Float32Array;
  /** [length], where each entry stood in the text. */
  positions(head: number): Int32Array;
  /** [length], the positions by which the keys are rotated now. */
  places(head: number): Int32Array;
  /**
   * Whether the pass is a chunk of a longer text, which may be as short as the text's end is: a window that is longer
   * than the chunk is then the chunk itself. Of a whole pass that is refused.
   */
  readonly chunked: boolean;
  /** Rows of the pass whose queries were kept: its last ones, which are the last entries of every head. */
  readonly queryRows: number;
  /** [queryRows], the positions at which a KV head sees those rows. */
  queryPlaces(head: number): Int32Array;
  /** A query head's queries before rotation: [queryRows, headSize]. @throws ArgumentError where the press did not ask for them */
  queries(queryHead: number): Float32Array;
  /** The output projection's columns of one query head: [hiddenSize, headSize]. */
  outputProjection(queryHead: number): Float32Array;
  /**
   * What the questions' tokens gave the entries, pooled as the press asked for: [length]. KV heads that share their scores
   * get the same array.
   * @throws ArgumentError where the press did not ask for it
   */
  questionScores(head: number): Float32Array;
}

/** What a press sees of one layer. */
export interface LayerEntries extends LayerContent {
  /** Rows turned to a place each, as the layer turns its keys: [places, headSize]. */
  rotate(rows: Float32Array, places: ArrayLike<number>): Float32Array;
  /** The opposite of `rotate`: what the rows were before. */
  unrotate(rows: Float32Array, places: Int32Array): Float32Array;
  /** The mean rotation over `count` places from `first` on: a matrix [headSize, headSize] to multiply columns with. */
  meanRotation(first: number, count: number): Float64Array;
  /** `queries`, turned as KV head `head` sees them: [queryRows, headSize]. */
  rotatedQueries(queryHead: number): Float32Array;
  /**
   * Softmax weights of rotated queries over rotated keys.
   * @param visible how many of the keys, from the first on, a row sees
   * @returns [rows, keys], 0 where a row does not see
   */
  attend(queries: Float32Array, keys: Float32Array, visible: (row: number) => number): Float32Array;
  /**
   * The softmax weights that rows of the pass give to a KV head's entries, each row seeing the entries up to itself.
   * @param rows how many of the last kept query rows, or the first and the end of a range of them
   * @returns for each query head of the group [rows, length], 0 where a row does not see
   */
  attention(head: number, rows: number | readonly [first: number, end: number]): Float32Array[];
}

/** Entries before and after an attended one that share its score. */
export interface Reach {
  readonly before: number;
  readonly after: number;
}

/** What a method wants of questions that are run behind every chunk of a document. */
export interface QuestionNeeds {
  /** `sharpest`: the highest weight any question token gives; `mean`: FINCH's mean, each weight times the entries its token sees. */
  readonly pooling: "sharpest" | "mean";
  /** What has scores of its own: each KV head, each layer, or the model as a whole. */
  readonly granularity: "head" | "layer" | "model";
}

/** What a press needs of the pass beyond keys, values and positions. */
export interface PressNeeds {
  /** Rows from the pass's end whose queries are kept for it. */
  readonly queryRows?: number | undefined;
  /** That questions are run behind every chunk: the press then works in `session.read` alone. */
  readonly questions?: QuestionNeeds | undefined;
  /** That the whole text's length is known before it is read, which that of a stream is not. */
  readonly textLength?: boolean | undefined;
}

interface NamedPress {
  readonly name: string;
  readonly needs?: PressNeeds | undefined;
  /** Set where the method itself says how much it keeps: then no budget may be given. */
  readonly ownBudget?: boolean | undefined;
  /** Set where more than the budget is never kept, which is then checked. */
  readonly keepsBudget?: boolean | undefined;
  /** Entries that every head must be able to keep for the method to work; default 1. */
  readonly least?: number | undefined;
}

/** A method that scores every entry; the highest scores survive. */
export interface ScorePress extends NamedPress {
  readonly kind: "score";
  /** Scores of one layer's entries, for each KV head [length]; higher is kept. */
  score(entries: LayerEntries, target: Target): readonly Float32Array[];
  /** A course through a document's chunks, for a method that can score a whole pass only. */
  begin?(): ModelSelection | undefined;
}

/** What remains of one layer. */
export interface LayerSelection {
  /** For each KV head the entries that survive, strictly ascending; heads may keep different numbers. */
  readonly kept: readonly Int32Array[];
  /** New content of the survivors' keys, for each KV head [kept, headSize], rotated as they were; else unchanged. */
  readonly keys?: readonly Float32Array[] | undefined;
  /** New content of the survivors' values, for each KV head [kept, headSize]; else unchanged. */
  readonly values?: readonly Float32Array[] | undefined;
}

/** A method that chooses a layer's survivors by more than the highest scores of each head. */
export interface SelectPress extends NamedPress {
  readonly kind: "select";
  select(entries: LayerEntries, target: Target): LayerSelection;
}

/** What the rows of a replay looked like as they entered the attention of one layer. */
export interface ReplayLayer {
  readonly rows: number;
  /** A query head's queries, rotated: [rows, headSize]. */
  queries(queryHead: number): Float32Array;
  /** A KV head's own keys, rotated: [rows, headSize]. */
  keys(head: number): Float32Array;
  /** L2 norm of each row's hidden state after the attention norm: [rows]. */
  hiddenNorms(): Float64Array;
}

/** The whole cache after a pass. */
export interface ModelEntries extends Arithmetic {
  readonly layers: readonly LayerEntries[];
  /** The tokens of the pass. */
  readonly tokens: Int32Array;
  /** Tokens of the whole text that the pass is a part of; undefined while a stream goes on. */
  readonly textLength: number | undefined;
  /** Tokens of the prompt that stand before a document, and after a question. */
  readonly frame: { readonly head: Int32Array; readonly tail: Int32Array };
  /** Text as tokens, without template. */
  encode(text: string): Int32Array;
  /** Runs tokens behind the cache without leaving a trace: one result a layer. */
  replay(tokens: Int32Array): readonly ReplayLayer[];
}

/** Chooses over all layers at once. */
export interface ModelSelection {
  select(entries: ModelEntries, target: Target): readonly LayerSelection[];
}

/** A method that chooses over all layers at once, perhaps after passes of its own. */
export interface ModelPress extends NamedPress, ModelSelection {
  readonly kind: "model";
  /** A course through a document's chunks, for a method that remembers what it thought of those before; it sees them all. */
  begin?(): ModelSelection | undefined;
}

/** What a method that goes on compressing as the session reads remembers; belongs to one session. */
export interface PressSteps {
  /**
   * Called after the pass that the press came with, and after each later one.
   * @param rows tokens of that pass
   * @returns what survives, or undefined while nothing changes
   */
  step(entries: ModelEntries, target: Target, rows: number): readonly LayerSelection[] | undefined;
  /** The same for a fork of the session. */
  fork(): PressSteps;
}

/** A method that compresses now and again while decoding. */
export interface StepsPress extends NamedPress {
  readonly kind: "steps";
  begin(): PressSteps;
}

/** A method that works layer by layer after one pass. */
export type LayerPress = ScorePress | SelectPress;

/** A method that compresses after one pass. */
export type PassPress = LayerPress | ModelPress;

/** Any method. */
export type Press = PassPress | StepsPress;
