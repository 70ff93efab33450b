/** The methods of Python's str. */
import { asBoolean, asText, asWhole } from "./arguments.ts";
import type { Budget } from "./budget.ts";
import { occurrences } from "./search.ts";
import { isSpace, lineEnds } from "./spaces.ts";
import { charactersOf, Fault, isText, lengthOf, Tuple, textOf, type Value } from "./values.ts";

/** Where a text begins and ends without certain characters at its sides, white space by default. */
function stripped(text: string, characters: string | undefined, left: boolean, right: boolean, budget: Budget): string {
  budget.characters(text.length);
  const list = characters === undefined ? undefined : charactersOf(text + characters, budget);
  let start = 0;
  let end = text.length;
  if (list === undefined || typeof list === "string") {
    const set = characters === undefined ? undefined : new Set(characters);
    const drop = (character: string) => (set ? set.has(character) : isSpace(character));
    while (left && start < end && drop(text[start]!)) start++;
    while (right && start < end && drop(text[end - 1]!)) end--;
    return text.slice(start, end);
  }
  const set = new Set(characters);
  const each = Array.from(text);
  let last = each.length;
  while (left && start < last && set.has(each[start]!)) start++;
  while (right && start < last && set.has(each[last - 1]!)) last--;
  return each.slice(start, last).join("");
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

/** `text.title()` */
function title(text: string, budget: Budget): string {
  budget.step(text.length);
  let result = "";
  let inWord = false;
  for (const character of text) {
    const isCased = /\p{Cased}/u.test(character);
    result += isCased ? (inWord ? character.toLowerCase() : capital(character)) : character;
    inWord = isCased;
  }
  return result;
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

/** `text.center(width)` and its kind; Python puts the odd one left where the width is odd. */
function justified(text: string, width: number, fill: string, side: "left" | "right" | "both", budget: Budget): string {
  if (lengthOf(fill, budget) !== 1) throw new Fault("The fill character must be exactly one character long");
  const missing = Math.max(0, width - lengthOf(text, budget));
  budget.characters(text.length + missing);
  const left = side === "left" ? 0 : side === "right" ? missing : (missing >> 1) + (missing & width & 1);
  return fill.repeat(left) + text + fill.repeat(missing - left);
}

/** Whether a text begins, or ends, with one of several. */
function hasAtEnd(
  text: string,
  wanted: Value | undefined,
  range: readonly (Value | undefined)[],
  atStart: boolean,
  budget: Budget,
) {
  const part = sliced(text, range, budget);
  const list = wanted instanceof Tuple ? wanted.items : [wanted];
  return list.some((item) => (atStart ? part.startsWith(asText(item)) : part.endsWith(asText(item))));
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

/** Where a part occurs, in characters, or -1. */
function find(
  text: string,
  wanted: Value | undefined,
  range: readonly (Value | undefined)[],
  backwards: boolean,
  budget: Budget,
) {
  const part = sliced(text, range, budget);
  const place = occurrences(part, asText(wanted), budget, { most: 1, backwards })[0];
  if (place === undefined) return -1;
  const length = lengthOf(text, budget);
  const start = asWhole(range[0] ?? undefined, 0);
  return lengthOf(part.slice(0, place), budget) + (start < 0 ? Math.max(0, length + start) : start);
}

function partition(text: string, separator: Value | undefined, backwards: boolean, budget: Budget): Value {
  const pattern = asText(separator);
  if (pattern === "") throw new Fault("empty separator");
  const [place] = occurrences(text, pattern, budget, { most: 1, backwards });
  if (place === undefined) return new Tuple(backwards ? ["", "", text] : [text, "", ""]);
  return new Tuple([text.slice(0, place), pattern, text.slice(place + pattern.length)]);
}

const isAll = (pattern: RegExp) => (text: string) => pattern.test(text);
const cased = (pattern: RegExp, refused: RegExp) => (text: string) => pattern.test(text) && !refused.test(text);
const upper = /\p{Uppercase}/u;
const lower = /\p{Lowercase}/u;
const digits = "\\p{Nd}\\u00b2\\u00b3\\u00b9\\u2070\\u2074-\\u2079\\u2080-\\u2089";

/** Tests of a text as a whole. */
const textTests: Record<string, (text: string, budget: Budget) => boolean> = {
  isalnum: isAll(/^[\p{L}\p{N}]+$/u),
  isalpha: isAll(/^\p{L}+$/u),
  isascii: isAll(/^[\0-\x7f]*$/),
  isdecimal: isAll(/^\p{Nd}+$/u),
  isdigit: isAll(new RegExp(`^[${digits}]+$`, "u")),
  islower: cased(lower, /[\p{Uppercase}\p{Lt}]/u),
  isnumeric: isAll(/^\p{N}+$/u),
  isspace: (text, budget) => text !== "" && strip(text, undefined, budget) === "",
  istitle: (text, budget) => /\p{Cased}/u.test(text) && title(text, budget) === text,
  isupper: cased(upper, /[\p{Lowercase}\p{Lt}]/u),
};

export const isLower = textTests.islower!;
export const isUpper = textTests.isupper!;

/** A method: its parameters as `bind` takes them, and what it does. */
type StringMethod = readonly [
  parameters: string,
  call: (text: string, given: readonly (Value | undefined)[], budget: Budget) => Value,
];

const optional = (value: Value | undefined) => (value === undefined || value === null ? undefined : asText(value));

const stripping = (left: boolean, right: boolean): StringMethod => [
  "chars? /",
  (text, [characters], budget) => stripped(text, optional(characters), left, right, budget),
];
const splitting = (backwards: boolean): StringMethod => [
  "sep? maxsplit?",
  (text, [separator, most], budget) => split(text, separator, most, backwards, budget),
];
const parting = (backwards: boolean): StringMethod => [
  "sep /",
  (text, [separator], budget) => partition(text, separator, backwards, budget),
];
const finding = (backwards: boolean, mustBeThere: boolean): StringMethod => [
  "sub start? end? /",
  (text, [part, ...range], budget) => {
    const place = find(text, part, range, backwards, budget);
    if (place < 0 && mustBeThere) throw new Fault("substring not found");
    return place;
  },
];
const having = (atStart: boolean): StringMethod => [
  "prefix start? end? /",
  (text, [wanted, ...range], budget) => hasAtEnd(text, wanted, range, atStart, budget),
];
const justifying = (side: "left" | "right" | "both"): StringMethod => [
  "width fill? /",
  (text, [width, fill], budget) => justified(text, asWhole(width, 0), optional(fill) ?? " ", side, budget),
];
const testing = (test: (text: string, budget: Budget) => boolean): StringMethod => [
  "",
  (text, _, budget) => test(text, budget),
];

/** The methods by name, but `format` and `join`, which need more than the text. */
export const stringMethods: ReadonlyMap<string, StringMethod> = new Map<string, StringMethod>(
  Object.entries({
    ...Object.fromEntries(Object.entries(textTests).map(([name, test]) => [name, testing(test)])),
    capitalize: ["", capitalize],
    center: justifying("both"),
    count: [
      "sub start? end? /",
      (text, [part, ...range], budget) => countOf(sliced(text, range, budget), asText(part), budget),
    ],
    endswith: having(false),
    find: finding(false, false),
    index: finding(false, true),
    ljust: justifying("left"),
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
    rjust: justifying("right"),
    rpartition: parting(true),
    rsplit: splitting(true),
    rstrip: stripping(false, true),
    split: splitting(false),
    splitlines: ["keepends?", (text, [keep], budget) => splitLines(text, asBoolean(keep), budget)],
    startswith: having(true),
    strip: stripping(true, true),
    title: ["", (text, _, budget) => title(text, budget)],
    upper: ["", (text) => text.toUpperCase()],
    zfill: ["width /", (text, [width], budget) => zeroFilled(text, asWhole(width, 0), budget)],
  }),
);

function countOf(text: string, part: string, budget: Budget): number {
  return part === "" ? lengthOf(text, budget) + 1 : occurrences(text, part, budget).length;
}

function zeroFilled(text: string, width: number, budget: Budget): string {
  const missing = Math.max(0, width - lengthOf(text, budget));
  budget.characters(text.length + missing);
  const sign = /^[+-]/.test(text) ? text[0]! : "";
  return sign + "0".repeat(missing) + text.slice(sign.length);
}

/** `separator.join(items)`, where every item has to be a text. */
export function joinTexts(separator: string, items: Iterable<Value>, budget: Budget): string {
  const texts: string[] = [];
  let index = 0;
  for (const item of items) {
    if (!isText(item)) throw new Fault(`sequence item ${index}: expected str instance`);
    budget.slots(1);
    budget.characters(textOf(item).length + separator.length);
    texts.push(textOf(item));
    index++;
  }
  return texts.join(separator);
}
