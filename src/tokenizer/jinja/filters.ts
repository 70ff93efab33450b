/** The filters of Jinja and the `tojson` of transformers. */
import { asBoolean, asText, asWhole, bind } from "./arguments.ts";
import { attributeOf, getItem } from "./attributes.ts";
import type { Budget } from "./budget.ts";
import { compareValues, equals, length } from "./compare.ts";
import { roundedTo } from "./decimals.ts";
import { percentFormat } from "./format.ts";
import { iterate, listOf, stream } from "./iterate.ts";
import { arithmetic, doubleOf, parseDouble, parseWhole, truncated, wholeOf } from "./numbers.ts";
import { add } from "./operators.ts";
import { space } from "./spaces.ts";
import { capitalize, replace, splitLines, strip } from "./string-methods.ts";
import { type Operation, plainTests } from "./tests.ts";
import { escaped, json, str } from "./text.ts";
import {
  charactersOf,
  Dict,
  Fault,
  Float,
  isNumber,
  isText,
  isTrue,
  lengthOf,
  Markup,
  orElse,
  Range,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
  View,
} from "./values.ts";

type Given = readonly (Value | undefined)[];

const newUndefined = (message: string) => new Undefined(() => message);

/** Behind these a word begins, for the filter `title`. */
const wordBeginnings = new RegExp(`((?:[-({[<]|${space})+)`);

/** A text that is more than a few steps' work. */
const textFor = (value: Value, budget: Budget) => {
  const text = str(value, budget);
  budget.characters(2 * text.length);
  budget.step(text.length >> 4);
  return text;
};

/** What `attribute=` names: a path of names and numbers, or a number. */
function attributePath(attribute: Value | undefined): (string | number)[] {
  if (attribute === undefined || attribute === null) return [];
  if (!isText(attribute)) return [asWhole(attribute, 0)];
  return textOf(attribute)
    .split(".")
    .map((part) => (/^\d+$/.test(part) ? Number(part) : part));
}

/** Gets from an item what `attribute=` names. */
function getter(attribute: Value | undefined, budget: Budget, otherwise?: Value): (item: Value) => Value {
  const path = attributePath(attribute);
  return (item) => {
    let value = item;
    for (const part of path) {
      value = getItem(value, part, budget);
      if (otherwise !== undefined && otherwise !== null && value instanceof Undefined) value = otherwise;
    }
    return value;
  };
}

/** Texts count as the same whatever their case, unless that matters. */
const folded = (isSensitive: boolean, budget: Budget) => (value: Value) =>
  isSensitive || !isText(value) ? value : textFor(value, budget).toLowerCase();

/** Sorts as Python does: stable, also in reverse. */
function sorted(items: Value[], keyOf: (item: Value) => Value, isReverse: boolean, budget: Budget): Value[] {
  budget.slots(2 * items.length);
  const keyed = items.map((item) => ({ item, key: keyOf(item) }));
  keyed.sort((a, b) => (isReverse ? compareValues(b.key, a.key, budget) : compareValues(a.key, b.key, budget)));
  return keyed.map(({ item }) => item);
}

function extreme(value: Value, given: Given, sign: number, budget: Budget): Value {
  const [isSensitive, attribute] = given;
  const get = getter(attribute, budget);
  const fold = folded(asBoolean(isSensitive), budget);
  let best: { item: Value; key: Value } | undefined;
  for (const item of iterate(value, budget)) {
    const key = fold(get(item));
    if (best === undefined || sign * compareValues(key, best.key, budget) < 0) best = { item, key };
  }
  return orElse(best?.item, () => newUndefined("No aggregated item, sequence was empty."));
}

function groupBy(value: Value, [attribute, otherwise, isSensitive]: Given, budget: Budget): Value {
  const get = getter(attribute, budget, otherwise);
  const fold = folded(asBoolean(isSensitive), budget);
  const groups: { key: Value; items: Value[] }[] = [];
  for (const item of sorted(listOf(value, budget), (one) => fold(get(one)), false, budget)) {
    const key = fold(get(item));
    const last = groups.at(-1);
    budget.slots(4);
    if (last && equals(last.key, key, budget)) last.items.push(item);
    else groups.push({ key, items: [item] });
  }
  return groups.map(({ items }) => new Tuple([get(items[0]!), items], ["grouper", "list"]));
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

function truncate(value: Value, [most, kill, end, leeway]: Given, budget: Budget): Value {
  const limit = asWhole(most, 255);
  const ending = end === undefined ? "..." : asText(end);
  if (limit < lengthOf(ending, budget)) throw new Fault(`expected length >= ${lengthOf(ending, budget)}, got ${limit}`);
  if (length(value, budget) <= limit + asWhole(leeway ?? undefined, 5)) return value;
  const characters = [...charactersOf(asText(value), budget)];
  budget.slots(characters.length);
  const cut = characters.slice(0, limit - lengthOf(ending, budget)).join("");
  const place = asBoolean(kill) ? -1 : cut.lastIndexOf(" ");
  return (place < 0 ? cut : cut.slice(0, place)) + ending;
}

/** Filters whose parameters have names; behind the value. */
const simple: Record<
  string,
  readonly [parameters: string, apply: (value: Value, given: Given, budget: Budget) => Value]
> = {
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
  attr: ["name", (value, [name], budget) => attributeExists(value, asText(name), budget)],
  batch: [
    "linecount fill_with?",
    (value, [count, fill], budget) =>
      stream(value, budget, function* (items) {
        const size = asWhole(count, 1);
        let row: Value[] = [];
        for (const item of items) {
          if (row.length === size) {
            yield row;
            row = [];
          }
          budget.slots(1);
          row.push(item);
        }
        if (row.length === 0) return;
        if (fill !== undefined && fill !== null) {
          budget.slots(Math.max(0, size - row.length));
          while (row.length < size) row.push(fill);
        }
        yield row;
      }),
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
  default: [
    "default_value? boolean?",
    (value, [otherwise, boolean]) =>
      value instanceof Undefined || (asBoolean(boolean) && !isTrue(value)) ? orElse(otherwise, () => "") : value,
  ],
  dictsort: [
    "case_sensitive? by? reverse?",
    (value, [isSensitive, by, reverse], budget) => {
      if (!(value instanceof Dict)) return refuseItems(value);
      const index = ["key", "value"].indexOf(by === undefined ? "key" : asText(by));
      if (index < 0) throw new Fault('You can only sort by either "key" or "value"');
      const fold = folded(asBoolean(isSensitive), budget);
      const entries = listOf(new View("items", value), budget);
      return sorted(entries, (entry) => fold((entry as Tuple).items[index]!), asBoolean(reverse), budget);
    },
  ],
  escape: ["", (value, _, budget) => escaped(value, budget)],
  first: [
    "",
    (value, _, budget) => {
      const next = iterate(value, budget).next();
      return next.done ? newUndefined("No first item, sequence was empty.") : next.value;
    },
  ],
  float: [
    "default?",
    (value, [otherwise]) => {
      if (value instanceof Undefined) value.fail();
      const double = isText(value) ? parseDouble(textOf(value)) : doubleOf(value);
      return double === undefined ? orElse(otherwise, () => new Float(0)) : new Float(double);
    },
  ],
  forceescape: ["", (value, _, budget) => escaped(str(value, budget), budget)],
  groupby: ["attribute default? case_sensitive?", groupBy],
  indent: ["width? first? blank?", indent],
  int: ["default? base?", toInt],
  items: [
    "",
    (value, _, budget) => {
      if (!(value instanceof Dict || value instanceof Undefined))
        return stream([], budget, () => {
          throw new Fault("Can only get item pairs from a mapping.");
        });
      return stream(value instanceof Dict ? new View("items", value) : value, budget, (items) => items);
    },
  ],
  join: [
    "d? attribute?",
    (value, [separator, attribute], budget) => {
      const between = separator === undefined ? "" : str(separator, budget);
      const get = getter(attribute, budget);
      const texts: string[] = [];
      for (const item of iterate(value, budget)) {
        const text = str(get(item), budget);
        budget.slots(1);
        budget.characters(text.length + between.length);
        texts.push(text);
      }
      return texts.join(between);
    },
  ],
  last: [
    "",
    (value, _, budget) => {
      const items = reversible(value, budget);
      if (!items) throw new Fault(`'${typeName(value)}' object is not reversible`);
      return orElse(items.at(-1), () => newUndefined("No last item, sequence was empty."));
    },
  ],
  length: ["", (value, _, budget) => length(value, budget)],
  list: ["", (value, _, budget) => listOf(value, budget)],
  lower: ["", (value, _, budget) => textFor(value, budget).toLowerCase()],
  max: ["case_sensitive? attribute?", (value, given, budget) => extreme(value, given, -1, budget)],
  min: ["case_sensitive? attribute?", (value, given, budget) => extreme(value, given, 1, budget)],
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
  reverse: [
    "",
    (value, _, budget) => {
      if (isText(value)) return [...charactersOf(textFor(value, budget), budget)].reverse().join("");
      const items = reversible(value, budget);
      if (!items) return listOf(value, budget).reverse();
      return stream(items.reverse(), budget, (all) => all);
    },
  ],
  round: ["precision? method?", round],
  safe: ["", (value, _, budget) => new Markup(str(value, budget))],
  slice: [
    "slices fill_with?",
    (value, [count, fill], budget) =>
      stream([null], budget, function* () {
        const items = listOf(value, budget);
        const slices = asWhole(count, 1);
        if (slices === 0) throw new Fault("integer division or modulo by zero");
        const size = Math.floor(items.length / slices);
        const longer = items.length - size * slices;
        for (let index = 0, start = 0; index < slices; index++) {
          const end = start + size + (index < longer ? 1 : 0);
          budget.step();
          budget.slots(end - start + 1);
          const part = items.slice(start, end);
          if (fill !== undefined && fill !== null && index >= longer) part.push(fill);
          yield part;
          start = end;
        }
      }),
  ],
  sort: [
    "reverse? case_sensitive? attribute?",
    (value, [reverse, isSensitive, attribute], budget) => {
      const names =
        attribute !== undefined && attribute !== null && isText(attribute) ? textOf(attribute).split(",") : [attribute];
      const getters = names.map((name) => getter(name, budget));
      const fold = folded(asBoolean(isSensitive), budget);
      const key = (item: Value) => getters.map((get) => fold(get(item)));
      budget.slots(getters.length);
      return sorted(listOf(value, budget), key, asBoolean(reverse), budget);
    },
  ],
  string: ["", (value, _, budget) => (value instanceof Markup ? value : str(value, budget))],
  sum: [
    "attribute? start?",
    (value, [attribute, start], budget) => {
      const get = getter(attribute, budget);
      let total = orElse(start, () => 0);
      if (isText(total)) throw new Fault("sum() can't sum strings [use ''.join(seq) instead]");
      for (const item of iterate(value, budget)) total = add(total, get(item), budget);
      return total;
    },
  ],
  title: [
    "",
    (value, _, budget) =>
      textFor(value, budget)
        .split(wordBeginnings)
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
  truncate: ["length? killwords? end? leeway?", truncate],
  unique: [
    "case_sensitive? attribute?",
    (value, [isSensitive, attribute], budget) =>
      stream(value, budget, function* (items) {
        const get = getter(attribute, budget);
        const fold = folded(asBoolean(isSensitive), budget);
        const seen = new Dict();
        for (const item of items) {
          const key = fold(get(item));
          if (seen.has(key, budget)) continue;
          seen.set(key, true, budget);
          yield item;
        }
      }),
  ],
  upper: ["", (value, _, budget) => textFor(value, budget).toUpperCase()],
  wordcount: ["", (value, _, budget) => textFor(value, budget).match(/[\p{L}\p{N}_]+/gu)?.length ?? 0],
};

function attributeExists(value: Value, name: string, budget: Budget): Value {
  const missing = newUndefined(`'${typeName(value)} object' has no attribute '${name}'`);
  if (value instanceof Undefined) return value.fail();
  return orElse(attributeOf(value, name, budget), () => missing);
}

function refuseItems(value: Value): never {
  if (value instanceof Undefined) value.fail();
  throw new Fault(`'${typeName(value)}' object has no attribute 'items'`);
}

/** The items of what Python's `reversed` takes, in a list of their own. */
function reversible(value: Value, budget: Budget): Value[] | undefined {
  const isReversible =
    isText(value) ||
    Array.isArray(value) ||
    value instanceof Tuple ||
    value instanceof Range ||
    value instanceof Dict ||
    value instanceof View ||
    value instanceof Undefined;
  return isReversible ? listOf(value, budget) : undefined;
}

/** `select`, `reject` and the two that look at an attribute. */
function selecting(isWanted: boolean, byAttribute: boolean): Operation {
  return (value, positional, named, budget) => {
    const source = isTrue(value) ? value : [];
    return stream(source, budget, function* (items) {
      const rest = [...positional];
      if (byAttribute && rest.length === 0) throw new Fault("Missing parameter for attribute name");
      const get = byAttribute ? getter(rest.shift()!, budget) : (item: Value) => item;
      const name = rest.shift();
      const test = name === undefined ? isTrue : (item: Value) => isTrue(namedTest(name)(item, rest, named, budget));
      for (const item of items) if (test(get(item)) === isWanted) yield item;
    });
  };
}

function namedTest(name: Value): Operation {
  const test = isText(name) ? tests.get(textOf(name)) : undefined;
  if (!test) throw new Fault(`No test named ${isText(name) ? `'${textOf(name)}'` : typeName(name)}.`);
  return test;
}

/** The filters by name. */
export const filters: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ...Object.entries(simple).map(([name, [parameters, apply]]): [string, Operation] => {
    const list = parameters === "" ? [] : parameters.split(" ");
    return [name, (value, positional, named, budget) => apply(value, bind(name, list, positional, named), budget)];
  }),
  [
    "format",
    (value, positional, named, budget) => {
      if (positional.length > 0 && named.size > 0)
        throw new Fault("can't handle positional and keyword arguments at the same time");
      const values = named.size > 0 ? Dict.of(named, budget) : new Tuple(positional);
      return percentFormat(str(value, budget), values, budget);
    },
  ],
  [
    "map",
    (value, positional, named, budget) =>
      stream(isTrue(value) ? value : [], budget, function* (items) {
        const [name, ...rest] = positional;
        let apply: (item: Value) => Value;
        if (name === undefined && named.has("attribute")) {
          const unknown = [...named.keys()].find((key) => key !== "attribute" && key !== "default");
          if (unknown) throw new Fault(`Unexpected keyword argument '${unknown}'`);
          apply = getter(named.get("attribute"), budget, named.get("default"));
        } else {
          if (name === undefined) throw new Fault("map requires a filter argument");
          const filter = isText(name) ? filters.get(textOf(name)) : undefined;
          if (!filter) throw new Fault(`No filter named ${isText(name) ? `'${textOf(name)}'` : typeName(name)}.`);
          apply = (item) => filter(item, rest, named, budget);
        }
        for (const item of items) yield apply(item);
      }),
  ],
  ...[
    ["count", "length"],
    ["d", "default"],
    ["e", "escape"],
  ].map(([alias, name]): [string, Operation] => [alias!, (...all) => filters.get(name!)!(...all)]),
  ["select", selecting(true, false)],
  ["reject", selecting(false, false)],
  ["selectattr", selecting(true, true)],
  ["rejectattr", selecting(false, true)],
]);

/** Filters that Jinja has and this has not. */
export const unsupportedFilters: ReadonlySet<string> = new Set([
  "filesizeformat",
  "pprint",
  "random",
  "striptags",
  "urlencode",
  "urlize",
  "wordwrap",
  "xmlattr",
]);

const isIn =
  (names: () => ReadonlyMap<string, Operation>): Operation =>
  (value) =>
    isText(value) && names().has(textOf(value));

/** The tests by name. */
export const tests: ReadonlyMap<string, Operation> = new Map([
  ...plainTests,
  ["filter", isIn(() => filters)],
  ["test", isIn(() => tests)],
]);
