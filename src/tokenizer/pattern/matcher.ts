/** Matches regular expressions from model files with a bound on the work, and says what more text could change. */
import { AssertionNumber, compile, Operation, type Program } from "./program.ts";
import { looseWord } from "./sets.ts";
import { parsePattern } from "./syntax.ts";

/** What a search came to. */
export const Found = {
  /** nothing so far; what may yet become a match begins at `start` at the earliest */
  nothing: 0,
  /** `start` and `end` are a match, whatever follows */
  match: 1,
  /** what comes behind the text decides whether, or how far, there is a match at `start` */
  open: 2,
} as const;

// Patterns in use take 43 steps for a unit of text at most, on texts made to be slow; a step takes some nanoseconds.
const stepsToBegin = 100_000;
const stepsByUnit = 100;
const mostSaved = 50_000_000;

/** How much work may be done: so much for every unit of text, and some to begin with. */
export class Allowance {
  steps = stepsToBegin;

  /** Text is to be searched. What easy text leaves over is not saved for ever. @param units of UTF-16 */
  grant(units: number): void {
    this.steps = Math.min(this.steps, mostSaved) + units * stepsByUnit;
  }
}

/** Searches text for something. Texts are well formed: a surrogate has its other half. */
export interface TextMatcher {
  /** Where the match begins, or may begin. */
  readonly start: number;
  readonly end: number;
  /** UTF-16 units before a text that have to be shown with it. */
  readonly lookBehind: number;
  /** Whether nothing can be a match. */
  readonly mayBeEmpty: boolean;
  /**
   * Looks for the first match at `at` or later.
   *
   * @param from where the text begins: nothing before it is looked at
   * @param to where the text that is known ends
   * @param isEnd whether nothing follows
   * @returns one of `Found`
   * @throws RangeError when the allowance is used up
   */
  find(text: string, from: number, to: number, at: number, isEnd: boolean, allowance: Allowance): number;
}

// Ways that may be open at once, three numbers each: one or two for each turn of a group that is repeated.
const mostWaiting = 3 << 21;
/** Whether a UTF-16 unit is the first of two. */
const leads = (unit: number) => unit >>> 10 === 0x36;
const pageBits = 8;

/**
 * A backtracking matcher: alternatives in order, as in Oniguruma and Perl. It reads no further than it must and takes note when it comes
 * to the end of the text, as Java's `Matcher.hitEnd` does: a match that was found without that stands, whatever follows.
 */
export class Matcher implements TextMatcher {
  start = 0;
  end = 0;
  readonly #program: Program;
  /** For 256 code points each, which sets they belong to; made when first met. */
  readonly #pages: (Uint32Array | undefined)[] = [];
  #text = "";
  #from = 0;
  #to = 0;
  #hitEnd = false;
  #steps = 0;
  /** Ways not tried yet, three numbers each: instruction, position, and for a repeat the position of its least length, else -1. */
  #waiting = new Int32Array(3 * 64);
  #top = 0;

  /** @throws PatternSyntaxError for what is malformed or not understood */
  constructor(source: string) {
    this.#program = compile(parsePattern(source));
  }

  get lookBehind(): number {
    return this.#program.lookBehind * 2;
  }

  get mayBeEmpty(): boolean {
    return this.#program.mayBeEmpty;
  }

  find(text: string, from: number, to: number, at: number, isEnd: boolean, allowance: Allowance): number {
    this.#text = text;
    this.#from = from;
    this.#to = to;
    const found = this.#find(at, isEnd, allowance);
    // A long text is not kept for the sake of this.
    this.#text = "";
    return found;
  }

  #find(at: number, isEnd: boolean, allowance: Allowance): number {
    const text = this.#text;
    const to = this.#to;
    const { first } = this.#program;
    for (let start = at; ; ) {
      if (first >= 0) {
        while (start < to && !(this.#setsAt(start) & (1 << first))) start += leads(text.charCodeAt(start)) ? 2 : 1;
        if (start >= to) break;
      }
      this.#hitEnd = false;
      this.#steps = allowance.steps;
      this.#top = 0;
      const end = this.#run(0, start);
      allowance.steps = this.#steps;
      if (this.#hitEnd && !isEnd) {
        this.start = start;
        return Found.open;
      }
      if (end >= 0) {
        this.start = start;
        this.end = end;
        return Found.match;
      }
      if (start >= to) break;
      start += leads(text.charCodeAt(start)) ? 2 : 1;
    }
    this.start = to;
    return Found.nothing;
  }

  /** Runs from an instruction to its `match`. @returns where that is, or -1 */
  #run(instruction: number, position: number): number {
    const { code } = this.#program;
    const text = this.#text;
    const to = this.#to;
    const base = this.#top;
    let pc = instruction;
    let at = position;
    for (;;) {
      if (--this.#steps < 0) throw new RangeError("takes too many steps on this text");
      // Where a case does not go on, the way it is on has failed.
      switch (code[pc]) {
        case Operation.match:
          this.#top = base;
          return at;
        case Operation.set:
          if (at >= to) this.#hitEnd = true;
          else if (this.#setsAt(at) & (1 << code[pc + 1]!)) {
            at += leads(text.charCodeAt(at)) ? 2 : 1;
            pc += 2;
            continue;
          }
          break;
        case Operation.split:
          this.#wait(code[pc + 2]!, at, -1);
          pc = code[pc + 1]!;
          continue;
        case Operation.jump:
          pc = code[pc + 1]!;
          continue;
        case Operation.repeat: {
          const set = 1 << code[pc + 1]!;
          const least = code[pc + 2]!;
          const most = code[pc + 3]!;
          const began = at;
          let leastAt = least === 0 ? at : -1;
          for (let count = 0; count !== most; ) {
            if (at >= to) {
              this.#hitEnd = true;
              break;
            }
            if (!(this.#setsAt(at) & set)) break;
            at += leads(text.charCodeAt(at)) ? 2 : 1;
            if (++count === least) leastAt = at;
          }
          this.#steps -= at - began;
          if (leastAt < 0) break;
          if (code[pc + 4] === 0 && at > leastAt) this.#wait(pc + 5, at, leastAt);
          pc += 5;
          continue;
        }
        case Operation.lookAhead:
          if (this.#run(pc + 3, at) >= 0 !== (code[pc + 1] === 1)) {
            pc = code[pc + 2]!;
            continue;
          }
          break;
        case Operation.lookBehind: {
          const start = this.#back(at, code[pc + 3]!);
          if ((start >= 0 && this.#run(pc + 4, start) >= 0) !== (code[pc + 1] === 1)) {
            pc = code[pc + 2]!;
            continue;
          }
          break;
        }
        case Operation.atomic: {
          const end = this.#run(pc + 2, at);
          if (end >= 0) {
            at = end;
            pc = code[pc + 1]!;
            continue;
          }
          break;
        }
        default:
          if (this.#holds(code[pc + 1]!, at)) {
            pc += 2;
            continue;
          }
      }
      if (this.#top === base) return -1;
      const waiting = this.#waiting;
      const top = this.#top - 3;
      pc = waiting[top]!;
      at = waiting[top + 1]!;
      if (waiting[top + 2]! < 0) this.#top = top;
      else {
        // A repeat gives one character back, and waits to give back another.
        at -= text.charCodeAt(at - 1) >>> 10 === 0x37 ? 2 : 1;
        if (at > waiting[top + 2]!) waiting[top + 1] = at;
        else this.#top = top;
      }
    }
  }

  #wait(instruction: number, position: number, least: number): void {
    const top = this.#top;
    if (top + 3 > this.#waiting.length) {
      if (top >= mostWaiting) throw new RangeError("leaves too many ways open on this text");
      const larger = new Int32Array(this.#waiting.length * 2);
      larger.set(this.#waiting);
      this.#waiting = larger;
    }
    this.#waiting[top] = instruction;
    this.#waiting[top + 1] = position;
    this.#waiting[top + 2] = least;
    this.#top = top + 3;
  }

  /** The sets that the character at a place before the end belongs to, a bit each. */
  #setsAt(at: number): number {
    const unit = this.#text.charCodeAt(at);
    const codePoint = leads(unit) ? this.#text.codePointAt(at)! : unit;
    const page = this.#pages[codePoint >>> pageBits] ?? this.#makePage(codePoint >>> pageBits);
    return page[codePoint & ((1 << pageBits) - 1)]!;
  }

  #makePage(number: number): Uint32Array {
    const { sets } = this.#program;
    const page = Uint32Array.from({ length: 1 << pageBits }, (_, index) => {
      const codePoint = (number << pageBits) + index;
      return sets.reduce((bits, set, bit) => bits | (Number(set(codePoint)) << bit), 0);
    });
    this.#pages[number] = page;
    return page;
  }

  /** The place some characters before another, or -1. */
  #back(position: number, characters: number): number {
    let at = position;
    for (let count = 0; count < characters; count++) {
      if (at <= this.#from) return -1;
      at -= this.#text.charCodeAt(at - 1) >>> 10 === 0x37 ? 2 : 1;
    }
    return at;
  }

  #holds(assertion: number, at: number): boolean {
    const text = this.#text;
    switch (assertion) {
      case AssertionNumber.start:
        return at === this.#from;
      case AssertionNumber["line-start"]:
        if (at === this.#from) return true;
        // Behind the last line feed of a text no line begins.
        if (at >= this.#to) this.#hitEnd = true;
        return text.charCodeAt(at - 1) === 10 && at < this.#to;
      case AssertionNumber.end:
        if (at >= this.#to) this.#hitEnd = true;
        return at >= this.#to;
      case AssertionNumber["line-end"]:
        if (at >= this.#to) this.#hitEnd = true;
        return at >= this.#to || text.charCodeAt(at) === 10;
      case AssertionNumber["end-or-newline"]:
        if (at + 1 >= this.#to) this.#hitEnd = true;
        return at >= this.#to || (at + 1 === this.#to && text.charCodeAt(at) === 10);
      default: {
        if (at >= this.#to) this.#hitEnd = true;
        const start = this.#back(at, 1);
        const before = start >= 0 && looseWord(text.codePointAt(start)!);
        const after = at < this.#to && looseWord(text.codePointAt(at)!);
        return (before !== after) === (assertion === AssertionNumber.word);
      }
    }
  }
}
