/** Finds added tokens in text, before anything else is done with it. */
import { word } from "../pattern/sets.ts";
import { isWhiteSpace, Stage, type StageState } from "./stage.ts";

/** A token that is matched as a whole. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Whether only the frame of a prompt may hold it. */
  readonly special: boolean;
  /** Whether it stands only between characters that no word is made of. */
  readonly singleWord: boolean;
  /** Whether white space on its left, or right, belongs to it. */
  readonly stripsLeft: boolean;
  readonly stripsRight: boolean;
  /** Whether it is looked for in normalized text, by its own normalized form. */
  readonly normalized: boolean;
}

const encoder = new TextEncoder();

/** Added tokens by what is looked for. */
export class AddedTokenSet {
  readonly stripsLeft: boolean;
  readonly hasSpecial: boolean;
  /**
   * Whether all is as in llama.cpp and not as in Python's tokenizers: of overlapping tokens the longest is taken, and not the longest of
   * those that begin first, and white space is that of ASCII.
   */
  readonly asLlamaCpp: boolean;
  readonly #tokens = new Map<string, AddedToken>();
  readonly #sorted: readonly string[];
  /** For the first unit of a token, the lengths of all that begin with it, descending. */
  readonly #lengths = new Map<number, number[]>();

  /** @param forms what is looked for, one for each token, all different and none empty */
  constructor(tokens: readonly AddedToken[], forms: readonly string[], asLlamaCpp: boolean) {
    this.asLlamaCpp = asLlamaCpp;
    this.stripsLeft = tokens.some((token) => token.stripsLeft);
    this.hasSpecial = tokens.some((token) => token.special);
    for (const [index, form] of forms.entries()) {
      this.#tokens.set(form, tokens[index]!);
      const unit = form.charCodeAt(0);
      const lengths = this.#lengths.get(unit) ?? [];
      if (!lengths.includes(form.length)) lengths.push(form.length);
      this.#lengths.set(unit, lengths);
    }
    for (const lengths of this.#lengths.values()) lengths.sort((a, b) => b - a);
    this.#sorted = [...forms].sort();
  }

  get isEmpty(): boolean {
    return this.#tokens.size === 0;
  }

  /** Lengths of the tokens that begin with a unit, descending. */
  lengths(unit: number): readonly number[] | undefined {
    return this.#lengths.get(unit);
  }

  get(form: string): AddedToken | undefined {
    return this.#tokens.get(form);
  }

  /** Whether a longer token than `text` begins with it. */
  continues(text: string, specialToo: boolean): boolean {
    let low = 0;
    for (let high = this.#sorted.length; low < high; ) {
      const middle = (low + high) >> 1;
      if (this.#sorted[middle]! <= text) low = middle + 1;
      else high = middle;
    }
    for (; low < this.#sorted.length && this.#sorted[low]!.startsWith(text); low++)
      if (specialToo || !this.#tokens.get(this.#sorted[low]!)!.special) return true;
    return false;
  }
}

interface Match {
  readonly token: AddedToken;
  readonly start: number;
  readonly end: number;
}

/** Cuts text at added tokens; each stretch between two is a piece. */
export class AddedTokensStage extends Stage {
  /** Whether special tokens are looked for in the text that comes now. */
  special = false;
  readonly #set: AddedTokenSet;
  #held = "";
  /** Where in what is held special tokens may lie: beginnings and ends. */
  #ranges: number[] = [];
  /** The character before what is held. */
  #before = "";
  /** Whether white space that comes next belongs to the token before. */
  #strips = false;
  /** Whether the next stage's piece has not ended. */
  #open = false;
  #atOrigin = false;

  constructor(next: Stage, set: AddedTokenSet) {
    super(next);
    this.#set = set;
  }

  override push(text: string, from: number, to: number, ends: boolean, atOrigin: boolean): void {
    if (this.#set.isEmpty) {
      this.next.push(text, from, to, ends, atOrigin);
      return;
    }
    const { length } = this.#held;
    if (length === 0 && from < to) this.#atOrigin = atOrigin;
    if (this.special && from < to) {
      if (this.#ranges.at(-1) === length) this.#ranges.pop();
      else this.#ranges.push(length);
      this.#ranges.push(length + to - from);
    }
    const whole = length === 0 ? text : this.#held + text.slice(from, to);
    this.#scan(whole, length === 0 ? from : 0, length === 0 ? to : whole.length, ends);
  }

  /** Cuts what has come, from `from` to before `to`, and holds what more text could change. */
  #scan(text: string, from: number, to: number, ends: boolean): void {
    /** What has been handed on. */
    let done = from;
    let hold = to;
    /** A token that comes later and is taken before those that overlap it. */
    let forced: Match | undefined;
    const take = (match: Match) => {
      let end = match.start;
      if (match.token.stripsLeft) while (end > done && this.#isSpace(text.charCodeAt(end - 1))) end--;
      const strips = this.#strips && isAllSpace(text, done, match.end);
      this.#handOn(text, done, end, true, done === from);
      // A token of white space that belongs to the token before is nothing, if it takes the white space on its left.
      if (!strips || !match.token.stripsLeft) this.next.token(match.token.id);
      this.#strips = match.token.stripsRight;
      done = match.end;
    };
    for (let at = from; at < to; ) {
      if (forced !== undefined && at === forced.start) {
        take(forced);
        at = done;
        forced = undefined;
        continue;
      }
      const limit: number = forced?.start ?? to;
      const match = this.#match(text, from, at, limit, to, ends || forced !== undefined);
      if (match === undefined) {
        at++;
        continue;
      }
      const best = match !== "open" && this.#set.asLlamaCpp ? this.#longest(match, text, from, limit, to, ends) : match;
      if (best === "open") {
        hold = at;
        break;
      }
      if (best !== match) forced = best;
      else {
        at = best.end;
        if (!best.token.singleWord || this.#isWord(text, from, best.start, best.end, to)) take(best);
      }
    }
    if (!ends && this.#set.stripsLeft) while (hold > done && this.#isSpace(text.charCodeAt(hold - 1))) hold--;
    this.#handOn(text, done, hold, ends, done === from);
    if (ends) this.#reset();
    else this.#hold(text, from, hold, to);
  }

  /**
   * The longest token that begins at a place and ends by `limit`.
   *
   * @param closed whether nothing that comes behind `to` can make it longer
   * @returns "open" when that has to be waited for
   */
  #match(
    text: string,
    from: number,
    at: number,
    limit: number,
    to: number,
    closed: boolean,
  ): Match | "open" | undefined {
    const lengths = this.#set.lengths(text.charCodeAt(at));
    if (!lengths) return undefined;
    const specialGoesOn = this.#isInRange(at - from, to - from);
    if (!closed && lengths[0]! > to - at && this.#set.continues(text.slice(at, to), specialGoesOn)) return "open";
    for (const length of lengths) {
      const end = at + length;
      const token = end <= limit ? this.#set.get(text.slice(at, end)) : undefined;
      if (!token || (token.special && !this.#isInRange(at - from, end - from))) continue;
      // A single word, and what it is between, has to be seen whole.
      return token.singleWord && !closed && end === to ? "open" : { token, start: at, end };
    }
    return undefined;
  }

  /** The token that overlaps another and is longer than what it overlaps, if there is one; else the other. */
  #longest(match: Match, text: string, from: number, limit: number, to: number, ends: boolean): Match | "open" {
    let best = match;
    for (let at = match.start + 1; at < best.end; at++) {
      const other = this.#match(text, from, at, limit, to, ends || limit < to);
      if (other === "open") return other;
      if (other && byteLength(other) > byteLength(best)) best = other;
    }
    return best;
  }

  #isSpace(unit: number): boolean {
    return isWhiteSpace(unit) && (unit < 0x80 || !this.#set.asLlamaCpp);
  }

  #isInRange(start: number, end: number): boolean {
    for (let index = 0; index < this.#ranges.length; index += 2)
      if (start >= this.#ranges[index]! && end <= this.#ranges[index + 1]!) return true;
    return false;
  }

  /** Whether no character that words are made of stands right before or behind. */
  #isWord(text: string, from: number, start: number, end: number, to: number): boolean {
    const before = start > from ? text.slice(Math.max(start - 2, from), start) : this.#before;
    const last = Array.from(before).at(-1);
    return !(last && isWordCharacter(last.codePointAt(0)!)) && !(end < to && isWordCharacter(text.codePointAt(end)!));
  }

  #handOn(text: string, from: number, to: number, ends: boolean, atBeginning: boolean): void {
    let start = from;
    if (this.#strips) while (start < to && this.#isSpace(text.charCodeAt(start))) start++;
    if (start < to) this.#strips = false;
    if (start < to || (ends && this.#open))
      this.next.push(text, start, to, ends, this.#atOrigin && atBeginning && start === from);
    this.#open = !ends && (this.#open || start < to);
  }

  #hold(text: string, from: number, hold: number, to: number): void {
    if (hold > from) {
      this.#atOrigin = false;
      this.#before = text.slice(Math.max(hold - 2, from), hold);
      const ranges: number[] = [];
      for (let index = 0; index < this.#ranges.length; index += 2) {
        const end = this.#ranges[index + 1]! - (hold - from);
        if (end > 0) ranges.push(Math.max(this.#ranges[index]! - (hold - from), 0), end);
      }
      this.#ranges = ranges;
    }
    this.#held = text.slice(hold, to);
  }

  #reset(): void {
    this.#held = "";
    this.#ranges = [];
    this.#before = "";
    this.#strips = false;
    this.#atOrigin = false;
  }

  override get state(): StageState {
    return [this.#held, this.#ranges.join(), this.#before, this.#strips, this.#open, this.#atOrigin];
  }

  override set state(state: StageState) {
    let ranges: string;
    [this.#held, ranges, this.#before, this.#strips, this.#open, this.#atOrigin] = state as [
      string,
      string,
      string,
      boolean,
      boolean,
      boolean,
    ];
    this.#ranges = ranges === "" ? [] : ranges.split(",").map(Number);
  }
}

function isAllSpace(text: string, from: number, to: number): boolean {
  for (let at = from; at < to; at++) if (!isWhiteSpace(text.charCodeAt(at))) return false;
  return true;
}

const byteLength = ({ token }: Match) => encoder.encode(token.content).length;

/** As in Rust's expressions, where the joiners belong to words. */
const isWordCharacter = (codePoint: number) => word(codePoint) || codePoint === 0x200c || codePoint === 0x200d;
