/** The filters of Jinja for texts and numbers, and the `tojson` of transformers. */
import { asBoolean, asText, asWhole } from "./arguments.ts";
import type { Budget } from "./budget.ts";
import { roundedTo } from "./decimals.ts";
import { type Given, type SimpleFilters, textFor } from "./filter-tools.ts";
import { listOf } from "./iterate.ts";
import { arithmetic, doubleOf, parseDouble, parseWhole, truncated, wholeOf } from "./numbers.ts";
import { space } from "./spaces.ts";
import { capitalize, replace, splitLines, strip } from "./string-methods.ts";
import { escaped, json, str } from "./text.ts";
import {
  Fault,
  Float,
  isNumber,
  isText,
  lengthOf,
  Markup,
  orElse,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** Behind these a word begins, for the filter `title`. */
const wordBeginnings = new RegExp(`((?:[-({[<]|${space})+)`);

function titleWords(text: string, budget: Budget): string[] {
  budget.slots(text.length);
  return text.split(wordBeginnings);
}

function countWords(text: string): number {
  let count = 0;
  for (const _ of text.matchAll(/[\p{L}\p{N}_]+/gu)) count++;
  return count;
}

function indent(value: Value, [width, first, blank]: Given, budget: Budget): Value {
  const text = `${asText(value)}\n`;
  let space: string;
  if (width !== undefined && isText(width)) space = textOf(width);
  else {
    const count = Math.max(0, asWhole(width, 4));
    budget.characters(count);
    space = " ".repeat(count);
  }
  const lines = splitLines(text, false, budget);
  budget.characters(text.length + lines.length * space.length);
  const rest = lines.slice(1).map((line) => (line || asBoolean(blank) ? space + line : line));
  return (asBoolean(first) ? space : "") + [lines[0], ...rest].join("\n");
}

function toJson(value: Value, [ensureAscii, width, separators, sortKeys]: Given, budget: Budget): Value {
  let space: string | undefined;
  if (width !== undefined && width !== null) {
    if (isText(width)) space = textOf(width);
    else {
      const count = Math.max(0, asWhole(width, 0));
      budget.characters(count);
      space = " ".repeat(count);
    }
  }
  const pair = separators === undefined || separators === null ? undefined : listOf(separators, budget).map(asText);
  if (pair && pair.length !== 2) throw new Fault("separators should be two texts");
  return json(
    value,
    {
      ensureAscii: asBoolean(ensureAscii),
      indent: space,
      separators: pair ? [pair[0]!, pair[1]!] : [space === undefined ? ", " : ",", ": "],
      sortKeys: asBoolean(sortKeys),
    },
    budget,
  );
}

function toInt(value: Value, [otherwise, base]: Given): Value {
  const whole = isText(value) ? parseWhole(textOf(value), asWhole(base, 10)) : undefined;
  if (whole !== undefined) return whole;
  const double = isText(value) ? parseDouble(textOf(value)) : undefined;
  if (value instanceof Undefined) value.fail();
  const number = isNumber(value) ? (wholeOf(value) ?? doubleOf(value)!) : double;
  if (typeof number === "bigint") return number;
  return number === undefined || !Number.isFinite(number) ? orElse(otherwise, () => 0) : truncated(number);
}

function round(value: Value, [precision, method]: Given): Value {
  const digits = asWhole(precision, 0);
  const way = method === undefined ? "common" : asText(method);
  if (!["common", "ceil", "floor"].includes(way)) throw new Fault("method must be common, ceil or floor");
  const double = doubleOf(value);
  if (double === undefined) {
    if (value instanceof Undefined) value.fail();
    throw new Fault(`type ${typeName(value)} doesn't define __round__ method`);
  }
  if (way !== "common") {
    const scale = arithmetic("**", 10, digits);
    const scaled = doubleOf(arithmetic("*", value, scale))!;
    return arithmetic("/", truncated(way === "ceil" ? Math.ceil(scaled) : Math.floor(scaled)), scale);
  }
  const whole = wholeOf(value);
  if (whole === undefined) return new Float(roundedTo(double, digits));
  if (digits >= 0) return whole;
  const unit = 10 ** -digits;
  const rest = doubleOf(arithmetic("%", whole, unit))!;
  const floor = Number(whole) - rest;
  const isUp = rest * 2 > unit || (rest * 2 === unit && (floor / unit) % 2 !== 0);
  return isUp ? floor + unit : floor;
}

export const textFilters: SimpleFilters = {
  abs: [
    "",
    (value) => {
      if (!isNumber(value)) throw new Fault(`bad operand type for abs(): '${typeName(value)}'`);
      return value instanceof Float
        ? new Float(Math.abs(value.value))
        : wholeOf(value)! < 0
          ? arithmetic("-", 0, value)
          : arithmetic("+", 0, value);
    },
  ],
  capitalize: ["", (value, _, budget) => capitalize(textFor(value, budget))],
  center: [
    "width?",
    (value, [width], budget) => {
      const text = textFor(value, budget);
      const missing = Math.max(0, asWhole(width, 80) - lengthOf(text, budget));
      budget.characters(missing);
      const left = (missing >> 1) + (missing & asWhole(width, 80) & 1);
      return " ".repeat(left) + text + " ".repeat(missing - left);
    },
  ],
  escape: ["", (value, _, budget) => escaped(value, budget)],
  float: [
    "default?",
    (value, [otherwise]) => {
      if (value instanceof Undefined) value.fail();
      const double = isText(value) ? parseDouble(textOf(value)) : doubleOf(value);
      return double === undefined ? orElse(otherwise, () => new Float(0)) : new Float(double);
    },
  ],
  indent: ["width? first? blank?", indent],
  int: ["default? base?", toInt],
  lower: ["", (value, _, budget) => textFor(value, budget).toLowerCase()],
  replace: [
    "old new count?",
    (value, [old, replacement, count], budget) =>
      replace(
        textFor(value, budget),
        str(old!, budget),
        str(replacement!, budget),
        count === null ? -1 : asWhole(count, -1),
        budget,
      ),
  ],
  round: ["precision? method?", round],
  safe: ["", (value, _, budget) => new Markup(str(value, budget))],
  string: ["", (value, _, budget) => (value instanceof Markup ? value : str(value, budget))],
  title: [
    "",
    (value, _, budget) =>
      titleWords(textFor(value, budget), budget)
        .map((word) => {
          const [first = ""] = word;
          return first.toUpperCase() + word.slice(first.length).toLowerCase();
        })
        .join(""),
  ],
  tojson: ["ensure_ascii? indent? separators? sort_keys?", toJson],
  trim: [
    "chars?",
    (value, [characters], budget) =>
      strip(
        textFor(value, budget),
        characters === undefined || characters === null ? undefined : asText(characters),
        budget,
      ),
  ],
  upper: ["", (value, _, budget) => textFor(value, budget).toUpperCase()],
  wordcount: ["", (value, _, budget) => countWords(textFor(value, budget))],
};
