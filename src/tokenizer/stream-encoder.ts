/** Text that arrives in pieces of any size to tokens, holding back only what is not certain. */
import { ArgumentError } from "../errors.ts";
import type { PieceModel } from "./models/piece-model.ts";
import { type AddedTokenSet, AddedTokensStage } from "./stages/added-tokens-stage.ts";
import { ModelStage } from "./stages/model-stage.ts";
import type { Stage, StageState, Step } from "./stages/stage.ts";
import { TokenList } from "./tokens.ts";

/** A tokenizer's steps, in the order in which text goes through them. */
export interface Pipeline {
  /** Added tokens that are looked for in the text as it is. */
  readonly rawTokens: AddedTokenSet;
  readonly normalizer: readonly Step[];
  /** Added tokens that are looked for in normalized text. */
  readonly normalizedTokens: AddedTokenSet;
  readonly preTokenizer: readonly Step[];
  readonly model: PieceModel;
}

const loneHalf = /\p{Surrogate}/gu;
/** Text to put through at once, in UTF-16 units: a few milliseconds of work. */
const slice = 1 << 14;
/** UTF-16 units that may be held, and after how many new ones that is looked at. */
const mostHeld = 1 << 24;
const interval = 1 << 16;

/**
 * Encodes a text that arrives in pieces; the tokens it gives, joined, are `encode` of the whole text, however it is cut.
 *
 * Each step hands on what no text that may follow can change, and holds the rest: the last word or so of ordinary writing. A run that
 * a pattern cannot divide (letters alone, say) is held until it ends, or up to 2^24 UTF-16 units.
 */
export class StreamEncoder {
  readonly #pipeline: Pipeline;
  readonly #out = new TokenList();
  readonly #model: ModelStage;
  readonly #raw: AddedTokensStage;
  readonly #normalized: AddedTokensStage;
  readonly #stages: readonly Stage[];
  /** The first half of a character whose other half has not come. */
  #half = "";
  #begun = false;
  /** UTF-16 units that have come since it was last looked at how much is held. */
  #unmeasured = 0;

  constructor(pipeline: Pipeline) {
    this.#pipeline = pipeline;
    const stages: Stage[] = [];
    const add = <Kind extends Stage>(stage: Kind): Kind => {
      stages.unshift(stage);
      return stage;
    };
    const addSteps = (steps: readonly Step[]) => {
      for (const step of [...steps].reverse()) add(step(stages[0]!));
    };
    this.#model = add(new ModelStage(pipeline.model, this.#out));
    addSteps(pipeline.preTokenizer);
    this.#normalized = add(new AddedTokensStage(stages[0]!, pipeline.normalizedTokens));
    addSteps(pipeline.normalizer);
    this.#raw = add(new AddedTokensStage(stages[0]!, pipeline.rawTokens));
    this.#stages = stages;
  }

  /**
   * The tokens that are certain after this piece, which may end anywhere, even between surrogates.
   *
   * @param options.special whether special tokens in this piece are tokens, and not plain text
   * @throws ArgumentError when the pieces before have left more than can be held
   */
  push(piece: string, options: { special?: boolean } = {}): Int32Array {
    this.#put(piece, options.special ?? false);
    return this.#out.take();
  }

  /** As `push`, in steps of some milliseconds: a long piece gives its tokens bit by bit, and the caller may wait in between. */
  *pushInSteps(piece: string): Generator<Int32Array, void, void> {
    let at = 0;
    do {
      yield* this.#inSteps(() => this.#put(piece.slice(at, at + slice), false));
      at += slice;
    } while (at < piece.length);
  }

  /** Text in which special tokens are tokens has ended, and plain text comes. */
  endSpecial(): void {
    // A normalizer may hold the last of a token until it has seen what follows.
    if (this.#normalized.special && this.#pipeline.normalizedTokens.hasSpecial)
      for (const stage of this.#stages) stage.release();
    this.#raw.special = false;
    this.#normalized.special = false;
  }

  /** The remaining tokens when the text has ended; the encoder can then take another text. */
  end(): Int32Array {
    this.#end();
    return this.#out.take();
  }

  /** As `end`, in steps of some milliseconds. */
  endInSteps(): Generator<Int32Array, void, void> {
    return this.#inSteps(() => this.#end());
  }

  /** The tokens that are certain and wait only for more of them to be worth the while. */
  settle(): Int32Array {
    this.#stages[0]!.settle();
    return this.#out.take();
  }

  /** Goes on amid a text that was begun elsewhere and cut where its tokens are apart: nothing is put before what comes now. */
  goOn(): void {
    this.#begun = true;
    this.#stages[0]!.goOn();
  }

  /** An encoder that stands where this one stands. */
  fork(): StreamEncoder {
    const copy = new StreamEncoder(this.#pipeline);
    copy.state = this.state;
    return copy;
  }

  /** What is held, as JSON has it, to go on from in an encoder of the same tokenizer. */
  get state(): StageState {
    return [this.#half, this.#begun, ...this.#stages.map((stage) => stage.state)];
  }

  set state(state: StageState) {
    const [half, begun, ...states] = state as [string, boolean, ...StageState[]];
    this.#half = half;
    this.#begun = begun;
    for (const [index, stage] of this.#stages.entries()) stage.state = states[index]!;
  }

  #put(piece: string, special: boolean): void {
    if (this.#unmeasured >= interval) {
      if (lengthOf(this.state) > mostHeld)
        throw new ArgumentError(
          `A text that comes in pieces runs on for more than ${mostHeld} characters without an end of a word`,
        );
      this.#unmeasured = 0;
    }
    this.#unmeasured += piece.length;
    let text = this.#half + piece;
    this.#half = "";
    if (text.charCodeAt(text.length - 1) >>> 10 === 0x36) {
      this.#half = text.slice(-1);
      text = text.slice(0, -1);
    }
    if (text === "") return;
    const origin = !this.#begun;
    this.#begun = true;
    const wellFormed = text.replace(loneHalf, "\ufffd");
    if (!special) this.endSpecial();
    this.#raw.special = special;
    this.#normalized.special = special;
    this.#stages[0]!.push(wellFormed, 0, wellFormed.length, false, origin);
  }

  #end(): void {
    if (this.#half !== "") {
      this.#half = "";
      this.#stages[0]!.push("\ufffd", 0, 1, false, !this.#begun);
    }
    this.#stages[0]!.push("", 0, 0, true, false);
    this.#begun = false;
  }

  *#inSteps(work: () => void): Generator<Int32Array, void, void> {
    const model = this.#model;
    model.patience = 1;
    work();
    yield this.#out.take();
    while (model.busy) {
      model.patience = 1;
      model.resume();
      yield this.#out.take();
    }
    model.patience = Number.POSITIVE_INFINITY;
  }
}

/** UTF-16 units of all text in a state. */
function lengthOf(state: StageState): number {
  if (typeof state === "string") return state.length;
  return Array.isArray(state) ? state.reduce((sum: number, part) => sum + lengthOf(part), 0) : 0;
}
