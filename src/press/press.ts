/** What a press is: a method that chooses which entries of the cache survive. */
import type { RotaryFrequencies } from "../rotary/frequencies.ts";
import type { Target } from "./budget.ts";

/** Dense arithmetic that presses leave to the core. */
interface Arithmetic {
  /** Products of every row of `a` with every row of `b`, rows of `depth`: [rows of a, rows of b]. */
  multiply(a: Float32Array, b: Float32Array, depth: number): Float32Array;
  /** Indices of the `keep` highest scores, ascending; ties go to the lower index. @throws NumericError when a score is NaN */
  highest(scores: Float32Array, keep: number): Int32Array;
}

/** What a press sees of one layer; arrays are copies and may be changed. */
export interface LayerEntries extends Arithmetic {
  readonly layer: number;
  readonly layers: number;
  readonly kvHeads: number;
  /** Query heads that share a KV head; those of KV head h are h · group ... (h + 1) · group - 1. */
  readonly group: number;
  readonly headSize: number;
  readonly hiddenSize: number;
  readonly frequencies: RotaryFrequencies;
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
}

/** What a press needs of the pass beyond keys, values and positions. */
interface PressNeeds {
  /** Rows from the pass's end whose queries are kept for it. */
  readonly queryRows?: number;
}

interface NamedPress {
  readonly name: string;
  readonly needs?: PressNeeds | undefined;
  /** Set where the method itself says how much it keeps: then no budget may be given. */
  readonly ownBudget?: boolean | undefined;
  /** Entries that every head must be able to keep for the method to work; default 1. */
  readonly least?: number | undefined;
}

/** A method that scores every entry; the highest scores survive. */
export interface ScorePress extends NamedPress {
  readonly kind: "score";
  /** Scores of one layer's entries, for each KV head [length]; higher is kept. */
  score(entries: LayerEntries, target: Target): readonly Float32Array[];
  /** A course through a document's chunks, for a method that can score a whole pass only. */
  begin?(): ModelSelection;
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
  begin?(): ModelSelection;
}

/** The course of a method that goes on compressing as the session reads; belongs to one session. */
export interface PressSteps {
  /**
   * Called after the pass that the press came with, and after each later one.
   * @param rows tokens of that pass
   * @returns what survives, or undefined while nothing changes
   */
  step(entries: ModelEntries, target: Target, rows: number): readonly LayerSelection[] | undefined;
  /** The same course for a fork of the session. */
  fork(): PressSteps;
}

/** A method that compresses now and again while decoding. */
export interface StepsPress extends NamedPress {
  readonly kind: "steps";
  begin(): PressSteps;
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

/** A method that works layer by layer after one pass. */
export type LayerPress = ScorePress | SelectPress;

/** A method that compresses after one pass. */
export type PassPress = LayerPress | ModelPress;

/** Any method. */
export type Press = PassPress | StepsPress | QuestionPress;
