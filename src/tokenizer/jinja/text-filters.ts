/** The filters of Jinja for texts and numbers, and the `tojson` of transformers. */
import { asBoolean, asText, asWhole } from "./arguments.ts";
import type { Budget } from "./budget.ts";
import { Fault } from "./faults.ts";
import { fixedText } from "./format.ts";
import { listOf } from "./iterate.ts";
import { doubleOf, exact, wholeOf } from "./numbers.ts";
import { arithmetic, negated } from "./operators.ts";
import { space } from "./spaces.ts";
import { capitalize, type Method, replace, splitLines, strip } from "./strings.ts";
import { escaped, json, str } from "./text.ts";
import { Float, isNumber, isText, Markup, marked, orElse, textOf, typeName, Undefined, type Value } from "./values.ts";

type Given = readonly (Value | undefined)[];

/** `str(value)`, counted as it will be worked on. */
function read(value: Value, budget: Budget): string {
  const text = str(value, budget);
  budget.text(text);
  return text;
}

/** A filter that makes another text of a text. */
const ofText = (parameters: string, make: (text: string, given: Given, budget: Budget) => string): Method<Value> => [
  parameters,
  (value, given, budget) => {
    const text = make(read(value, budget), given, budget);
    budget.characters(text.length);
    return marked(text, value);
  },
];

/** So many spaces, or a text. */
function spacesOf(width: Value | undefined, otherwise: number, budget: Budget): string {
  if (width !== undefined && isText(width)) return textOf(width);
  const count = Math.max(0, asWhole(width, otherwise));
  budget.characters(count);
  return " ".repeat(count);
}

function indent(value: Value, [width, first, blank]: Given, budget: Budget): Value {
  const between = spacesOf(width, 4, budget);
  const lines = splitLines(`${asText(value)}\n`, false, budget);
  const length = lines.reduce((sum, line) => sum + line.length + between.length + 1, 0);
  budget.characters(length);
  const rest = lines.slice(1).map((line) => (line || asBoolean(blank) ? between + line : line));
  return marked((asBoolean(first) ? between : "") + [lines[0], ...rest].join("\n"), value);
}

function toJson(value: Value, [ensureAscii, width = null, separators = null, sortKeys]: Given, budget: Budget): Value {
  const [item, key, ...others] = separators === null ? [] : listOf(separators, budget).map(asText);
  if (separators !== null && (key === undefined || others.length > 0))
    throw new Fault("separators should be two texts");
  const options = {
    ensureAscii: asBoolean(ensureAscii),
    indent: width === null ? undefined : spacesOf(width, 0, budget),
    separators: [item ?? (width === null ? ", " : ","), key ?? ": "] as const,
    sortKeys: asBoolean(sortKeys),
  };
  return json(value, options, budget);
}

const digits = "\\d+(?:_\\d+)*";
const double = new RegExp(
  `^([+-]?)(?:(?:${digits}\\.?(?:${digits})?|\\.${digits})(?:e[+-]?${digits})?|(inf(?:inity)?)|(nan))$`,
  "i",
);
const whole = new RegExp(`^[+-]?${digits}$`);
const sides = new RegExp(`^${space}+|${space}+$`, "g");

/** The value of a number or of a text that writes one, as Python's `float` and `int` take it; undefined for others. */
function parsed(value: Value, isWhole: boolean): number | undefined {
  if (value instanceof Undefined) value.fail();
  if (!isText(value)) return doubleOf(value);
  // What is longer is no number that is held exactly.
  const text = textOf(value).length > 1000 ? "" : textOf(value).replace(sides, "");
  const match = double.exec(text);
  if (!match || (isWhole && !whole.test(text))) return undefined;
  const [, sign, isInfinite, isNan] = match;
  if (isNan) return Number.NaN;
  const size = isInfinite ? Number.POSITIVE_INFINITY : Number(text.slice(sign!.length).replaceAll("_", ""));
  return sign === "-" ? -size : size;
}

function toInt(value: Value, [otherwise, base]: Given): Value {
  if (asWhole(base, 10) !== 10) throw new Fault("another base than 10 is not supported");
  const number = parsed(value, true) ?? parsed(value, false);
  return number === undefined || !Number.isFinite(number) ? orElse(otherwise, () => 0) : exact(Math.trunc(number));
}

function round(value: Value, [precision, method]: Given): Value {
  const decimals = asWhole(precision, 0);
  if (value instanceof Undefined) value.fail();
  if (!isNumber(value)) throw new Fault(`type ${typeName(value)} doesn't define __round__ method`);
  if (decimals < 0) throw new Fault("rounding before the point is not supported");
  const way = method === undefined ? "common" : asText(method);
  if (way === "common") {
    if (!(value instanceof Float)) return wholeOf(value)!;
    const size = Math.abs(value.value);
    // No digits are left behind the point of what is larger.
    if (!(size < 2 ** 52)) return value;
    return new Float(Math.sign(value.value) * Number(fixedText(size, decimals)));
  }
  if (way !== "ceil" && way !== "floor") throw new Fault("method must be common, ceil or floor");
  const scale = arithmetic("**", 10, decimals);
  return arithmetic("/", exact(Math[way](doubleOf(arithmetic("*", value, scale))!)), scale);
}

/** Behind these a word begins, for the filter `title`. */
const wordBeginnings = new RegExp(`((?:[-({[<]|${space})+)`);

function title(text: string, budget: Budget): string {
  budget.slots(text.length);
  const words = text.split(wordBeginnings).map((word) => {
    const [first = ""] = word;
    return first.toUpperCase() + word.slice(first.length).toLowerCase();
  });
  return words.join("");
}

export const textFilters: Readonly<Record<string, Method<Value>>> = {
  abs: [
    "",
    (value) => {
      if (!isNumber(value)) throw new Fault(`bad operand type for abs(): '${typeName(value)}'`);
      return negated(doubleOf(value)! < 0 ? "-" : "+", value);
    },
  ],
  capitalize: ofText("", capitalize),
  escape: ["", (value, _, budget) => escaped(value, budget)],
  float: [
    "default?",
    (value, [otherwise]) => {
      const number = parsed(value, false);
      return number === undefined ? orElse(otherwise, () => new Float(0)) : new Float(number);
    },
  ],
  indent: ["width? first? blank?", indent],
  int: ["default? base?", toInt],
  lower: ofText("", (text) => text.toLowerCase()),
  replace: [
    "old new count?",
    (value, [old, replacement, count], budget) => {
      const most = count === null ? -1 : asWhole(count, -1);
      return replace(read(value, budget), str(old!, budget), str(replacement!, budget), most, budget);
    },
  ],
  round: ["precision? method?", round],
  safe: ["", (value, _, budget) => new Markup(str(value, budget))],
  string: ["", (value, _, budget) => (value instanceof Markup ? value : str(value, budget))],
  title: ["", (value, _, budget) => title(read(value, budget), budget)],
  tojson: ["ensure_ascii? indent? separators? sort_keys?", toJson],
  trim: ofText("chars?", (text, [characters = null], budget) =>
    strip(text, characters === null ? undefined : asText(characters), budget),
  ),
  upper: ofText("", (text) => text.toUpperCase()),
};
