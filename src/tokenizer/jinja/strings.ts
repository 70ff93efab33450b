/** The methods of Python's str. */
import { asBoolean, asText, asWhole } from "./arguments.ts";
import type { Budget } from "./budget.ts";
import { Fault } from "./faults.ts";
import { iterate } from "./iterate.ts";
import { occurrences } from "./search.ts";
import { isSpace, lineEnds, space } from "./spaces.ts";
import { charactersOf, isText, lengthOf, Tuple, textOf, type Value } from "./values.ts";

/** A method: its parameters as `bind` takes them, and what it does. */
export type Method<T> = readonly [
  parameters: string,
  call: (owner: T, given: readonly (Value | undefined)[], budget: Budget) => Value,
];

/** A text without certain characters at its sides, white space by default. */
function stripped(text: string, characters: string | undefined, left: boolean, right: boolean, budget: Budget): string {
  budget.characters(text.length);
  const set = characters === undefined ? undefined : new Set(characters);
  const drop = (character: string) => (set ? set.has(character) : isSpace(character));
  const all = set ? charactersOf(text, budget) : text;
  let [start, end] = [0, all.length];
  while (left && start < end && drop(all[start]!)) start++;
  while (right && start < end && drop(all[end - 1]!)) end--;
  const part = all.slice(start, end);
  return typeof part === "string" ? part : part.join("");
}

/** `text.strip(characters)` */
export const strip = (text: string, characters: string | undefined, budget: Budget) =>
  stripped(text, characters, true, true, budget);

/** `text.splitlines(keepends)` */
export function splitLines(text: string, keepEnds: boolean, budget: Budget): string[] {
  budget.characters(text.length);
  const lines: string[] = [];
  let start = 0;
  for (const { 0: end, index } of text.matchAll(lineEnds)) {
    budget.slots(1);
    lines.push(text.slice(start, keepEnds ? index + end.length : index));
    start = index + end.length;
  }
  if (start < text.length) lines.push(text.slice(start));
  return lines;
}

function splitAt(text: string, places: readonly number[], length: number, budget: Budget): string[] {
  budget.slots(places.length + 1);
  const parts: string[] = [];
  let start = 0;
  for (const place of places) {
    parts.push(text.slice(start, place));
    start = place + length;
  }
  parts.push(text.slice(start));
  return parts;
}

/** The runs of what is no white space, so many at most and then the rest as it is. */
function splitSpaces(text: string, most: number, backwards: boolean, budget: Budget): string[] {
  budget.characters(text.length);
  const step = backwards ? -1 : 1;
  const stop = backwards ? -1 : text.length;
  const part = (from: number, to: number) => (backwards ? text.slice(to + 1, from + 1) : text.slice(from, to));
  const parts: string[] = [];
  for (let place = backwards ? text.length - 1 : 0; ; ) {
    while (place !== stop && isSpace(text[place]!)) place += step;
    if (place === stop) break;
    budget.slots(1);
    let end = parts.length === most ? stop : place;
    while (end !== stop && !isSpace(text[end]!)) end += step;
    parts.push(part(place, end));
    place = end;
  }
  return backwards ? parts.reverse() : parts;
}

function split(
  text: string,
  separator: Value | undefined,
  most: Value | undefined,
  backwards: boolean,
  budget: Budget,
) {
  const wanted = asWhole(most, -1);
  const limit = wanted < 0 ? Number.POSITIVE_INFINITY : wanted;
  if (separator === undefined || separator === null) return splitSpaces(text, limit, backwards, budget);
  const pattern = asText(separator);
  if (pattern === "") throw new Fault("empty separator");
  const places = occurrences(text, pattern, budget, { most: limit, backwards });
  return splitAt(text, backwards ? places.reverse() : places, pattern.length, budget);
}

/** `text.replace(old, new, count)` */
export function replace(text: string, old: string, replacement: string, most: number, budget: Budget): string {
  const limit = most < 0 ? Number.POSITIVE_INFINITY : most;
  if (old === "") {
    const characters = [...charactersOf(text, budget)];
    const count = Math.min(limit, characters.length + 1);
    budget.slots(characters.length);
    budget.characters(text.length + count * replacement.length);
    const head = characters.slice(0, Math.max(0, count - 1)).map((character) => character + replacement);
    return (count > 0 ? replacement : "") + head.join("") + characters.slice(Math.max(0, count - 1)).join("");
  }
  const parts = splitAt(text, occurrences(text, old, budget, { most: limit }), old.length, budget);
  budget.characters(text.length + parts.length * replacement.length);
  return parts.join(replacement);
}

/** The title case of a character: of one that becomes several only the first is large. */
function capital(character: string): string {
  const [first = "", ...rest] = character.toUpperCase();
  return first + rest.join("").toLowerCase();
}

/** `text.capitalize()` */
export function capitalize(text: string): string {
  const [first = ""] = text;
  return capital(first) + text.slice(first.length).toLowerCase();
}

/** `text.title()` */
function title(text: string, budget: Budget): string {
  budget.step(text.length);
  return text.replace(/\p{Cased}+/gu, (word) => capitalize(word));
}

/** The part of a text that start and end name. */
function sliced(text: string, [start, end]: readonly (Value | undefined)[], budget: Budget): string {
  if ((start ?? null) === null && (end ?? null) === null) return text;
  const characters = charactersOf(text, budget);
  const part = characters.slice(
    asWhole(start ?? undefined, 0),
    end === null ? undefined : asWhole(end, characters.length),
  );
  return typeof part === "string" ? part : part.join("");
}

const stripping = (left: boolean, right: boolean): Method<string> => [
  "chars? /",
  (text, [characters], budget) => stripped(text, optional(characters), left, right, budget),
];

const splitting = (backwards: boolean): Method<string> => [
  "sep? maxsplit?",
  (text, [separator, most], budget) => split(text, separator, most, backwards, budget),
];

const parting = (backwards: boolean): Method<string> => [
  "sep /",
  (text, [separator], budget) => {
    const pattern = asText(separator);
    if (pattern === "") throw new Fault("empty separator");
    const [place] = occurrences(text, pattern, budget, { most: 1, backwards });
    if (place === undefined) return new Tuple(backwards ? ["", "", text] : [text, "", ""]);
    return new Tuple([text.slice(0, place), pattern, text.slice(place + pattern.length)]);
  },
];

/** Where a part occurs, in characters; where it does not -1 or a fault. */
const finding = (backwards: boolean, mustBeThere: boolean): Method<string> => [
  "sub start? end? /",
  (text, [wanted, ...range], budget) => {
    const part = sliced(text, range, budget);
    const place = occurrences(part, asText(wanted), budget, { most: 1, backwards })[0];
    if (place === undefined && mustBeThere) throw new Fault("substring not found");
    if (place === undefined) return -1;
    const length = lengthOf(text, budget);
    const start = asWhole(range[0] ?? undefined, 0);
    return lengthOf(part.slice(0, place), budget) + (start < 0 ? Math.max(0, length + start) : start);
  },
];

/** Whether a text begins, or ends, with one of several. */
const having = (isAtEnd: boolean): Method<string> => [
  "prefix start? end? /",
  (text, [wanted, ...range], budget) => {
    const part = sliced(text, range, budget);
    const list = wanted instanceof Tuple ? wanted.items : [wanted];
    return list.some((item) => (isAtEnd ? part.endsWith(asText(item)) : part.startsWith(asText(item))));
  },
];

/** Whether there are characters, and none of a kind. */
const without = (others: RegExp): Method<string> => ["", (text) => text !== "" && !others.test(text)];

const optional = (value: Value | undefined) => (value === undefined || value === null ? undefined : asText(value));

export const isLower = (text: string): boolean => /\p{Lowercase}/u.test(text) && !/[\p{Uppercase}\p{Lt}]/u.test(text);
export const isUpper = (text: string): boolean => /\p{Uppercase}/u.test(text) && !/[\p{Lowercase}\p{Lt}]/u.test(text);

/** The methods by name, but `format`, which needs more than the text; and those that templates have no use for. */
export const stringMethods: Readonly<Record<string, Method<string> | "unsupported">> = {
  ...Object.fromEntries(
    (
      "casefold center encode expandtabs format_map isascii isdecimal isidentifier isnumeric isprintable istitle " +
      "ljust maketrans rjust swapcase translate zfill"
    )
      .split(" ")
      .map((name) => [name, "unsupported"]),
  ),
  capitalize: ["", capitalize],
  count: [
    "sub start? end? /",
    (text, [wanted, ...range], budget) => {
      const part = sliced(text, range, budget);
      const pattern = asText(wanted);
      return pattern === "" ? lengthOf(part, budget) + 1 : occurrences(part, pattern, budget).length;
    },
  ],
  endswith: having(true),
  find: finding(false, false),
  index: finding(false, true),
  isalnum: without(/[^\p{L}\p{N}]/u),
  isalpha: without(/[^\p{L}]/u),
  isdigit: without(/[^\p{Nd}\u00b2\u00b3\u00b9\u2070\u2074-\u2079\u2080-\u2089]/u),
  islower: ["", isLower],
  isspace: without(new RegExp(`[^${space.slice(1)}`)),
  isupper: ["", isUpper],
  join: ["iterable /", (text, [items], budget) => joinTexts(text, iterate(items!, budget), budget)],
  lower: ["", (text) => text.toLowerCase()],
  lstrip: stripping(true, false),
  partition: parting(false),
  removeprefix: [
    "prefix /",
    (text, [part]) => (text.startsWith(asText(part)) ? text.slice(asText(part).length) : text),
  ],
  removesuffix: [
    "suffix /",
    (text, [part]) => (text.endsWith(asText(part)) ? text.slice(0, text.length - asText(part).length) : text),
  ],
  replace: [
    "old new count? /",
    (text, [old, replacement, count], budget) =>
      replace(text, asText(old), asText(replacement), asWhole(count, -1), budget),
  ],
  rfind: finding(true, false),
  rindex: finding(true, true),
  rpartition: parting(true),
  rsplit: splitting(true),
  rstrip: stripping(false, true),
  split: splitting(false),
  splitlines: ["keepends?", (text, [keep], budget) => splitLines(text, asBoolean(keep), budget)],
  startswith: having(false),
  strip: stripping(true, true),
  title: ["", (text, _, budget) => title(text, budget)],
  upper: ["", (text) => text.toUpperCase()],
};

/** `separator.join(items)`, where every item has to be a text. */
function joinTexts(separator: string, items: Iterable<Value>, budget: Budget): string {
  const texts: string[] = [];
  for (const item of items) {
    if (!isText(item)) throw new Fault(`sequence item ${texts.length}: expected str instance`);
    budget.slots(1);
    budget.characters(textOf(item).length + separator.length);
    texts.push(textOf(item));
  }
  return texts.join(separator);
}
