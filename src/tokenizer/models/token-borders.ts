/** Finds out where the tokens of a text stand as they are whatever may follow, for texts that merges can cross everywhere. */
import type { MergeTable } from "./merge-table.ts";
import { Merger } from "./merger.ts";

/** A token that a text can begin with: how many of its symbols, and the id. */
interface Candidate {
  readonly length: number;
  readonly id: number;
}

/** Borders looked at before a longer text is asked for. */
const mostBorders = 8;
/** Symbols that may be merged again for each symbol of a text before a longer one is asked for. */
const mostWork = 8;
/** Places and pairs of tokens that are remembered. */
const mostPlaces = 1 << 8;
const mostPairs = 1 << 13;
const largestId = 2 ** 26;

/**
 * A list of tokens is what its text merges to if and only if each two neighbours are what the text of the two merges to: merges inside
 * of a pair come in the same order as in the whole, and the first merge across a border would come in the pair as well. So a border
 * stands when the token on its left stays apart from each token that can follow: an entry that the text to the right begins with, and
 * that another can follow in turn.
 */
export class TokenBorders {
  readonly #probe: Merger;
  readonly #lengths: readonly number[];
  readonly #longest: number;
  #symbols: Int32Array = new Int32Array(0);
  #work = 0;
  /** By the symbols of a place. */
  readonly #candidates = new Map<string, readonly Candidate[]>();
  /** By the ids of two tokens, whether they stay apart. */
  readonly #apart = new Map<number, boolean>();

  constructor(table: MergeTable) {
    this.#probe = new Merger(table);
    this.#lengths = table.lengths;
    this.#longest = table.lengths.at(-1) ?? Number.POSITIVE_INFINITY;
  }

  /**
   * The last border that is certain, or nearly.
   *
   * @param symbols of a text that goes on
   * @param merged has merged them
   * @param cuts where a border may be: not -1
   * @returns the first symbol behind the border; 0 when none is found
   */
  last(symbols: Int32Array, { next, ids }: Merger, cuts: Int32Array): number {
    const count = symbols.length;
    if (count < 4 * this.#longest) return 0;
    this.#symbols = symbols;
    this.#work = mostWork * count;
    const borders: number[] = [0];
    // The longest token behind the border, and what that can be beside, have to be seen.
    for (let at = next[0]!; at + 2 * this.#longest < count; at = next[at]!) borders.push(at);
    for (let index = borders.length - 1; index > 0 && index > borders.length - mostBorders; index--) {
      const start = borders[index - 1]!;
      const border = borders[index]!;
      if (cuts[border]! >= 0 && this.#isCertain({ length: border - start, id: ids[start]! }, start, border))
        return border;
    }
    return 0;
  }

  /** Whether the token from `start` to `border` stays apart from every token that can follow. */
  #isCertain(token: Candidate, start: number, border: number): boolean {
    /** By place and length of a token, whether one after another can follow it, as far as the text is known. */
    const known = new Map<number, boolean>();
    const goesOn = (at: number, { length, id }: Candidate): boolean => {
      const end = at + length;
      if (end >= border + this.#longest) return true;
      const key = at * (this.#longest + 1) + length;
      let follows = known.get(key);
      if (follows === undefined) {
        follows = this.#candidatesAt(end).some((next) => this.#areApart(at, { length, id }, next) && goesOn(end, next));
        known.set(key, follows);
      }
      return follows;
    };
    const joins = this.#candidatesAt(border).some(
      (next) => !this.#areApart(start, token, next) && goesOn(border, next),
    );
    return !joins && this.#work > 0;
  }

  /** The tokens that the text can begin with at a place. */
  #candidatesAt(at: number): readonly Candidate[] {
    const key = this.#symbols.subarray(at, at + this.#longest).join();
    let candidates = this.#candidates.get(key);
    if (!candidates) {
      candidates = this.#lengths.flatMap((length) =>
        this.#work > 0 && this.#merged(at, length) === length ? [{ length, id: this.#probe.ids[0]! }] : [],
      );
      if (this.#work <= 0) return candidates;
      if (this.#candidates.size === mostPlaces) this.#candidates.clear();
      this.#candidates.set(key, candidates);
    }
    return candidates;
  }

  /** Whether a token at a place and one behind it stay as they are. */
  #areApart(at: number, left: Candidate, right: Candidate): boolean {
    this.#work--;
    const key = left.id * largestId + right.id;
    let apart = this.#apart.get(key);
    if (apart === undefined) {
      const both = left.length + right.length;
      apart = this.#merged(at, both) === left.length && this.#probe.next[left.length] === both;
      if (this.#apart.size === mostPairs) this.#apart.clear();
      this.#apart.set(key, apart);
    }
    return apart;
  }

  /** Merges the symbols of a place. @returns how many become the first token */
  #merged(at: number, length: number): number {
    const probe = this.#probe;
    this.#work -= length;
    probe.reserve(length);
    probe.ids.set(this.#symbols.subarray(at, at + length));
    probe.merge(length);
    return probe.next[0]!;
  }
}
