/** The filters of Jinja: those for lists here, all of them by name. */
import { asBoolean, asText, asWhole, bind } from "./arguments.ts";
import type { Budget } from "./budget.ts";
import { type Operation, plainTests } from "./checks.ts";
import { compareValues, equals, length } from "./compare.ts";
import {
  folded,
  type Given,
  getter,
  newUndefined,
  type SimpleFilters,
  sorted,
  splitNames,
  textFor,
} from "./filter-tools.ts";
import { percentFormat } from "./format.ts";
import { iterate, listOf, stream } from "./iterate.ts";
import { add } from "./operators.ts";
import { str } from "./text.ts";
import { textFilters } from "./text-filters.ts";
import {
  charactersOf,
  Dict,
  Fault,
  isText,
  isTrue,
  orElse,
  Range,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
  View,
} from "./values.ts";

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

const listFilters: SimpleFilters = {
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
  first: [
    "",
    (value, _, budget) => {
      const next = iterate(value, budget).next();
      return next.done ? newUndefined("No first item, sequence was empty.") : next.value;
    },
  ],
  groupby: ["attribute default? case_sensitive?", groupBy],
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
  max: ["case_sensitive? attribute?", (value, given, budget) => extreme(value, given, -1, budget)],
  min: ["case_sensitive? attribute?", (value, given, budget) => extreme(value, given, 1, budget)],
  reverse: [
    "",
    (value, _, budget) => {
      if (isText(value)) return [...charactersOf(textFor(value, budget), budget)].reverse().join("");
      const items = reversible(value, budget);
      if (!items) return listOf(value, budget).reverse();
      return stream(items.reverse(), budget, (all) => all);
    },
  ],
  sort: [
    "reverse? case_sensitive? attribute?",
    (value, [reverse, isSensitive, attribute], budget) => {
      const names =
        attribute !== undefined && attribute !== null && isText(attribute)
          ? splitNames(attribute, ",", budget)
          : [attribute];
      const getters = names.map((name) => getter(name, budget));
      const fold = folded(asBoolean(isSensitive), budget);
      const key = (item: Value) => getters.map((get) => fold(get(item)));
      budget.slots(getters.length);
      return sorted(listOf(value, budget), key, asBoolean(reverse), budget);
    },
  ],
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
};

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
  ...Object.entries({ ...listFilters, ...textFilters }).map(([name, [parameters, apply]]): [string, Operation] => {
    return [
      name,
      (value, positional, named, budget) => apply(value, bind(name, parameters, positional, named), budget),
    ];
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
  "attr",
  "filesizeformat",
  "forceescape",
  "pprint",
  "random",
  "slice",
  "striptags",
  "truncate",
  "urlencode",
  "urlize",
  "wordwrap",
  "xmlattr",
]);

const isIn =
  (names: () => ReadonlyMap<string, Operation>): Operation =>
  (value, _positional, _named, budget) =>
    isText(value) && names().has(textFor(value, budget));

/** The tests by name. */
export const tests: ReadonlyMap<string, Operation> = new Map([
  ...plainTests,
  ["filter", isIn(() => filters)],
  ["test", isIn(() => tests)],
]);
