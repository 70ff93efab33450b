/** Cuts pieces where a pattern matches, as Hugging Face's Split and its kin do. */
import { Allowance, Found, type TextMatcher } from "../pattern/matcher.ts";
import { Stage, type StageState } from "./stage.ts";

/** What becomes of the matches among the text between them. */
export type SplitBehavior = "Removed" | "Isolated" | "MergedWithPrevious" | "MergedWithNext" | "Contiguous";

export interface Split {
  readonly matcher: TextMatcher;
  readonly behavior: SplitBehavior;
  /** Whether the text between matches is what counts as matched. */
  readonly invert: boolean;
  /** Turns what goes wrong at a text into an error that names the pattern. */
  readonly fail: (fault: string) => never;
}

// What is held is searched again when it has grown by so much, so that text which comes a unit at a time costs no more in the end.
const growth = 1.25;
const small = 512;

/** Searches a piece that comes bit by bit, and hears of each match and of the text between, once they are certain. */
export abstract class SearchStage extends Stage {
  readonly #matcher: TextMatcher;
  readonly #fail: (fault: string) => never;
  readonly #allowance = new Allowance();
  /** What was seen of the piece and decided, as far as the matcher looks back. */
  #context = "";
  /** What is not decided. */
  #held = "";
  /** Length of what was held when it was searched last. */
  #searched = 0;
  /** Whether the last match ended where what is held begins. */
  #behindMatch = false;
  #atOrigin = false;

  constructor(next: Stage, { matcher, fail }: Pick<Split, "matcher" | "fail">) {
    super(next);
    this.#matcher = matcher;
    this.#fail = fail;
  }

  /**
   * A match, or a stretch between matches.
   *
   * @param complete whether all of the stretch has come; more of it may follow otherwise
   */
  protected abstract segment(
    matched: boolean,
    text: string,
    from: number,
    to: number,
    complete: boolean,
    atOrigin: boolean,
  ): void;

  /** The piece has ended. */
  protected abstract pieceEnd(): void;

  override push(text: string, from: number, to: number, ends: boolean, atOrigin: boolean): void {
    if (this.#held === "" && from < to) this.#atOrigin = atOrigin;
    if (this.#held === "" && this.#context === "") {
      this.#search(text, from, from, to, ends);
      return;
    }
    this.#held += text.slice(from, to);
    const length = this.#held.length;
    if (ends || length < small || length >= this.#searched * growth) this.#searchHeld(ends);
  }

  override settle(): void {
    if (this.#held !== "" && this.#held.length !== this.#searched) this.#searchHeld(false);
    this.next.settle();
  }

  #searchHeld(ends: boolean): void {
    const buffer = this.#context + this.#held;
    this.#search(buffer, 0, this.#context.length, buffer.length, ends);
  }

  /** Searches from `at` on. @param from where what is known of the piece begins */
  #search(text: string, from: number, at: number, to: number, ends: boolean): void {
    const matcher = this.#matcher;
    this.#allowance.grant(to - at);
    const origin = this.#atOrigin ? at : -1;
    let done = at;
    let look = at;
    let behind = this.#behindMatch ? at : -1;
    while (look <= to) {
      const found = this.#find(text, from, to, look, ends);
      const { start, end } = matcher;
      if (found !== Found.match) {
        look = start;
        break;
      }
      if (start === end && end === behind) {
        // Nothing, right behind a match, is no match; a character later it may be one.
        if (look >= to) break;
        look += text.charCodeAt(look) >>> 10 === 0x36 ? 2 : 1;
        continue;
      }
      if (start > done) this.segment(false, text, done, start, true, done === origin);
      this.segment(true, text, start, end, true, start === origin);
      done = end;
      look = end;
      behind = end;
    }
    if (ends) {
      if (done < to) this.segment(false, text, done, to, true, done === origin);
      this.pieceEnd();
      this.#context = "";
      this.#held = "";
      this.#searched = 0;
      this.#behindMatch = false;
      return;
    }
    // What lies before the earliest match that may come is text between matches, and more of it may come.
    const certain = Math.min(look, to);
    if (done < certain) this.segment(false, text, done, certain, false, done === origin);
    this.#behindMatch = behind === certain;
    this.#atOrigin = origin === certain;
    this.#held = text.slice(certain, to);
    this.#searched = this.#held.length;
    const { lookBehind } = matcher;
    this.#context = lookBehind > 0 ? text.slice(Math.max(certain - lookBehind, from), certain) : "";
  }

  #find(text: string, from: number, to: number, at: number, ends: boolean): number {
    try {
      return this.#matcher.find(text, from, to, at, ends, this.#allowance);
    } catch (error) {
      if (error instanceof RangeError) return this.#fail(error.message);
      throw error;
    }
  }

  override get state(): StageState {
    return [this.#context, this.#held, this.#behindMatch, this.#atOrigin];
  }

  override set state(state: StageState) {
    [this.#context, this.#held, this.#behindMatch, this.#atOrigin] = state as [string, string, boolean, boolean];
    this.#searched = 0;
  }
}

/** No segment, one between matches, a match: what came last. */
type Kind = 0 | 1 | 2;

export class SplitStage extends SearchStage {
  readonly #behavior: SplitBehavior;
  readonly #invert: boolean;
  #last: Kind = 0;
  /** Whether the segment that came last goes on. */
  #unfinished = false;
  /** Whether the next stage's piece has not ended. */
  #open = false;

  constructor(next: Stage, split: Split) {
    super(next, split);
    this.#behavior = split.behavior;
    this.#invert = split.invert;
  }

  protected override segment(
    found: boolean,
    text: string,
    from: number,
    to: number,
    complete: boolean,
    atOrigin: boolean,
  ): void {
    // The stretch before a match has ended with what came of it.
    if (found && this.#unfinished) this.segment(false, text, from, from, true, false);
    const matched = found !== this.#invert;
    const behavior = this.#behavior;
    const last = this.#last;
    if (!this.#unfinished) {
      const joins =
        (behavior === "Contiguous" && last === (matched ? 2 : 1)) ||
        (behavior === "MergedWithPrevious" && matched && last !== 2) ||
        (behavior === "MergedWithNext" && !matched && last === 2);
      if (!joins) this.#close();
    }
    this.#last = matched ? 2 : 1;
    this.#unfinished = !complete;
    const closes =
      complete &&
      (behavior === "Isolated" ||
        behavior === "Removed" ||
        (behavior === "MergedWithPrevious" && matched) ||
        (behavior === "MergedWithNext" && !matched));
    if (behavior === "Removed" && matched) return;
    if (closes && (from < to || this.#open)) {
      this.next.push(text, from, to, true, atOrigin);
      this.#open = false;
    } else if (from < to) {
      this.next.push(text, from, to, false, atOrigin);
      this.#open = true;
    }
  }

  protected override pieceEnd(): void {
    this.#close();
    this.#last = 0;
    this.#unfinished = false;
  }

  #close(): void {
    if (this.#open) this.next.push("", 0, 0, true, false);
    this.#open = false;
  }

  override get state(): StageState {
    return [super.state, this.#last, this.#unfinished, this.#open];
  }

  override set state(state: StageState) {
    [super.state, this.#last, this.#unfinished, this.#open] = state as [StageState, Kind, boolean, boolean];
  }
}
