/** Numbers in groups of three from the right, for which patterns look ahead to a number's end again and again: here once. */
import { Found, type TextMatcher } from "./matcher.ts";
import { type CharacterSet, digit, looseWord } from "./sets.ts";

/** How a number is divided. */
export interface Grouping {
  readonly digits: CharacterSet;
  /**
   * - `groups`: every group is a match, in numbers that no word goes on behind: `\d{1,3}(?=(?:\d{3})*\b)`
   * - `before`: nothing is a match, before every group of three: `(?=(\d{3})+(?!\d))`
   * - `after`: nothing is a match, behind every group, so that the first takes along what stands before the number
   */
  readonly at: "groups" | "before" | "after";
}

/** The patterns that mean these groupings. */
export const knownGroupings: ReadonlyMap<string, Grouping> = new Map([
  ["\\d{1,3}(?=(?:\\d{3})*\\b)", { digits: digit, at: "groups" }],
  ["(?=(\\d{3})+(?!\\d))", { digits: digit, at: "before" }],
]);

const length = (text: string, at: number) => (text.charCodeAt(at) >>> 10 === 0x36 ? 2 : 1);

export class DigitGroups implements TextMatcher {
  start = 0;
  end = 0;
  readonly lookBehind = 2;
  readonly mayBeEmpty: boolean;
  readonly #grouping: Grouping;
  /** The number that was met last: where each of its digits begins, and then its end. */
  #places = Int32Array.of(0);
  /** The text that it was met in, and the part of it. */
  #text = "";
  #from = 0;
  #to = 0;

  constructor(grouping: Grouping) {
    this.#grouping = grouping;
    this.mayBeEmpty = grouping.at !== "groups";
  }

  find(text: string, from: number, to: number, at: number, isEnd: boolean): number {
    const groups = this.#grouping.at === "groups";
    for (let position = at; position <= to; position += length(text, position)) {
      if (!this.#meet(text, from, to, position)) continue;
      const end = this.#places.at(-1)!;
      if (end === to && !isEnd) {
        this.start = position;
        return Found.open;
      }
      const found = groups && end < to && looseWord(text.codePointAt(end)!) ? -1 : this.#next(position);
      if (found >= 0) {
        this.start = groups ? position : found;
        this.end = found;
        return Found.match;
      }
      if (position < end) position = end - length(text, end - 1);
    }
    this.start = to;
    return Found.nothing;
  }

  /** Whether a place lies in a number, or right behind one where groups end there. */
  #meet(text: string, from: number, to: number, at: number): boolean {
    if (!this.#isDigit(text, at, to) && !(this.#grouping.at === "after" && this.#digitBefore(text, from, at) >= 0))
      return false;
    const places = this.#places;
    const same = text === this.#text && from === this.#from && to === this.#to;
    if (same && at >= places[0]! && at <= places.at(-1)!) return true;
    let start = at;
    for (let before = at; before >= 0; before = this.#digitBefore(text, from, before)) start = before;
    const found = [start];
    for (let end = start; this.#isDigit(text, end, to); found.push(end)) end += length(text, end);
    this.#places = Int32Array.from(found);
    this.#text = text;
    this.#from = from;
    this.#to = to;
    return true;
  }

  /** Where the group at a place ends, or the next of the places that are looked for; -1 when the number has no more. */
  #next(at: number): number {
    const places = this.#places;
    const count = places.length - 1;
    let index = 0;
    for (let high = count; index < high; ) {
      const middle = (index + high) >> 1;
      if (places[middle]! < at) index = middle + 1;
      else high = middle;
    }
    const odd = (count - index) % 3;
    switch (this.#grouping.at) {
      case "groups":
        return places[index + (odd || 3)]!;
      case "before":
        return index + odd < count ? places[index + odd]! : -1;
      case "after":
        // Right at the number's beginning no group has ended.
        return places[index + odd || 3] ?? -1;
    }
  }

  #isDigit(text: string, at: number, to: number): boolean {
    return at < to && this.#grouping.digits(text.codePointAt(at)!);
  }

  /** Where the digit right before a place begins, or -1. */
  #digitBefore(text: string, from: number, at: number): number {
    const start = at - (text.charCodeAt(at - 1) >>> 10 === 0x37 ? 2 : 1);
    return start >= from && this.#isDigit(text, start, at) ? start : -1;
  }
}
