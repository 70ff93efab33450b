/** The words that planted sentences are made of, and how they are drawn. */
import { adjectives, animals, names } from "unique-names-generator";
import { uniform } from "../press/methods/random.ts";

const ADJECTIVES =
  "amber brisk calm dusty eager faded gentle hollow icy jolly keen lively mellow narrow odd pale quiet rustic silent tidy upbeat vivid wise young".split(
    " ",
  );
const NOUNS =
  "anchor barrel candle drum engine feather garnet hammer island jacket kettle lantern mirror needle orchid piano quill ribbon saddle telescope umbrella violin wagon yarn".split(
    " ",
  );
const FIRST_NAMES = "Ada Bruno Clara Diego Elsa Finn Greta Hugo Ines Jonas Karin Leo Mabel Nils Olga Pablo".split(" ");
const LAST_NAMES =
  "Abbott Brandt Crane Dalton Ekman Fischer Gomez Haas Ivanov Jensen Khan Larsen Mason Novak Okafor Pereira".split(" ");
const CITIES =
  "Boston Cairo Dover Geneva Hanoi Lima Lisbon Madrid Oslo Perth Prague Quito Riga Seoul Turin Vienna".split(" ");
const MONTHS = "January February March April May June July August September October November December".split(" ");

/** Single words of a few thousand, where tasks need many: RULER has such lists from Python's wonderwords. */
const MANY_WORDS = [
  ...new Set(
    [...adjectives, ...animals, ...names].map((word) => word.toLowerCase()).filter((word) => /^[a-z]+$/.test(word)),
  ),
];
const MANY_NOUNS = animals.filter((word) => /^[a-z]+$/.test(word));
const MANY_ADJECTIVES = adjectives.filter((word) => /^[a-z]+$/.test(word));

/** Draws words and numbers, the same ones for the same seed. */
export class Draw {
  readonly #next: () => number;

  /** @param seed a whole number from 0 to 2^32 - 1 */
  constructor(seed: number) {
    this.#next = uniform(seed);
  }

  /** A whole number from `least` to `most`, both included. */
  whole(least: number, most: number): number {
    return least + Math.floor(this.#next() * (most - least + 1));
  }

  of<T>(list: readonly T[]): T {
    return list[this.whole(0, list.length - 1)]!;
  }

  /** A copy in another order (Fisher and Yates). */
  shuffled<T>(list: readonly T[]): T[] {
    const copy = [...list];
    for (let end = copy.length - 1; end > 0; end--) {
      const other = this.whole(0, end);
      [copy[end], copy[other]] = [copy[other]!, copy[end]!];
    }
    return copy;
  }

  /** `count` different results of `make`. */
  distinct<T>(count: number, make: () => T): T[] {
    const found = new Set<T>();
    while (found.size < count) found.add(make());
    return [...found];
  }

  /** A number of so many digits, the first of which is not 0. */
  digits(count: number): string {
    return String(this.whole(10 ** (count - 1), 10 ** count - 1));
  }

  adjective(): string {
    return this.of(ADJECTIVES);
  }

  noun(): string {
    return this.of(NOUNS);
  }

  person(): string {
    return `${this.of(FIRST_NAMES)} ${this.of(LAST_NAMES)}`;
  }

  city(): string {
    return this.of(CITIES);
  }

  date(): string {
    return `${this.whole(1, 28)} ${this.of(MONTHS)} ${this.whole(1801, 1950)}`;
  }

  /** A variable's name of capital letters, as RULER has them. */
  variable(length = 5): string {
    return this.letters(length).toUpperCase();
  }

  letters(length: number): string {
    return Array.from({ length }, () => String.fromCharCode(this.whole(97, 122))).join("");
  }

  /** Different whole numbers below a bound. */
  sample(bound: number, count: number): number[] {
    return this.distinct(count, () => this.whole(0, bound - 1));
  }

  /** An adjective and a noun, of hundreds of thousands of such pairs. */
  wordPair(): string {
    return `${this.of(MANY_ADJECTIVES)}-${this.of(MANY_NOUNS)}`;
  }

  /** Different words; pairs of words where there are not as many. */
  words(count: number): string[] {
    const singles = this.shuffled(MANY_WORDS).slice(0, count);
    return [...singles, ...this.distinct(count - singles.length, () => this.wordPair())];
  }

  /** A random UUID, version 4. */
  uuid(): string {
    const digits = Array.from({ length: 32 }, () => this.whole(0, 15));
    digits[12] = 4;
    digits[16] = 8 + (digits[16]! & 3);
    const text = digits.map((digit) => digit.toString(16)).join("");
    return [text.slice(0, 8), text.slice(8, 12), text.slice(12, 16), text.slice(16, 20), text.slice(20)].join("-");
  }
}
