/** The filters and tests of Jinja by name; the filters for lists. */
import { asBoolean, asText, asWhole, bind } from "./arguments.ts";
import { getItem } from "./attributes.ts";
import type { Budget } from "./budget.ts";
import { compareValues, length } from "./compare.ts";
import { Fault } from "./faults.ts";
import { iterate, listOf, stream } from "./iterate.ts";
import { add, operate } from "./operators.ts";
import type { Method } from "./strings.ts";
import { testMethods } from "./tests.ts";
import { str } from "./text.ts";
import { textFilters } from "./text-filters.ts";
import {
  charactersOf,
  Dict,
  isList,
  isText,
  isTrue,
  type Markup,
  type Named,
  orElse,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** A filter or test: what it is applied to comes first. */
type Operation = (value: Value, positional: readonly Value[], named: Named, budget: Budget) => Value;

/** The parts of a text with names, counted as they may be many. */
function splitNames(names: string | Markup, separator: string, budget: Budget): string[] {
  budget.text(textOf(names));
  budget.slots(textOf(names).length);
  return textOf(names).split(separator);
}

/** Gets from an item what `attribute=` names: a path of names and numbers, or a number. */
function getter(attribute: Value | undefined, budget: Budget, otherwise: Value = null): (item: Value) => Value {
  if (attribute === undefined || attribute === null) return (item) => item;
  const path = isText(attribute)
    ? splitNames(attribute, ".", budget).map((part) => (/^\d+$/.test(part) ? Number(part) : part))
    : [asWhole(attribute, 0)];
  return (item) => {
    let value = item;
    for (const part of path) {
      value = getItem(value, part, budget);
      if (otherwise !== null && value instanceof Undefined) value = otherwise;
    }
    return value;
  };
}

/** Texts count as the same whatever their case, unless that matters. */
function folded(isSensitive: Value | undefined, budget: Budget): (value: Value) => Value {
  return (value) => {
    if (asBoolean(isSensitive) || !isText(value)) return value;
    budget.text(textOf(value));
    return textOf(value).toLowerCase();
  };
}

/** Sorts as Python does: stable, also in reverse. */
function sorted(items: Value[], keyOf: (item: Value) => Value, isReverse: boolean, budget: Budget): Value[] {
  budget.slots(2 * items.length);
  const keyed = items.map((item) => ({ item, key: keyOf(item) }));
  keyed.sort((a, b) => (isReverse ? compareValues(b.key, a.key, budget) : compareValues(a.key, b.key, budget)));
  return keyed.map(({ item }) => item);
}

const extreme = (sign: number): Method<Value> => [
  "case_sensitive? attribute?",
  (value, [isSensitive, attribute], budget) => {
    const get = getter(attribute, budget);
    const fold = folded(isSensitive, budget);
    let best: { item: Value; key: Value } | undefined;
    for (const item of iterate(value, budget)) {
      const key = fold(get(item));
      if (best === undefined || sign * compareValues(key, best.key, budget) < 0) best = { item, key };
    }
    return orElse(best?.item, () => nothing("No aggregated item, sequence was empty."));
  },
];

/** What a filter gives where there is nothing to give. */
const nothing = (message: string) => new Undefined(() => message);

/** The items of what Python's `reversed` takes, in a list of their own. */
function reversible(value: Value, budget: Budget): Value[] | undefined {
  const isReversible =
    isText(value) || isList(value) || value instanceof Tuple || value instanceof Dict || value instanceof Undefined;
  return isReversible ? listOf(value, budget) : undefined;
}

const listFilters: Readonly<Record<string, Method<Value>>> = {
  default: [
    "default_value? boolean?",
    (value, [otherwise, boolean]) =>
      value instanceof Undefined || (asBoolean(boolean) && !isTrue(value)) ? orElse(otherwise, () => "") : value,
  ],
  dictsort: [
    "case_sensitive? by? reverse?",
    (value, [isSensitive, by, reverse], budget) => {
      if (value instanceof Undefined) value.fail();
      if (!(value instanceof Dict)) throw new Fault(`'${typeName(value)}' object has no attribute 'items'`);
      const index = ["key", "value"].indexOf(by === undefined ? "key" : asText(by));
      if (index < 0) throw new Fault('You can only sort by either "key" or "value"');
      const fold = folded(isSensitive, budget);
      const entries: Value[] = [];
      for (const entry of value.entries()) {
        budget.objects(2);
        entries.push(new Tuple(entry));
      }
      return sorted(entries, (entry) => fold((entry as Tuple).items[index]!), asBoolean(reverse), budget);
    },
  ],
  first: [
    "",
    (value, _, budget) => {
      const next = iterate(value, budget).next();
      return next.done ? nothing("No first item, sequence was empty.") : next.value;
    },
  ],
  items: [
    "",
    (value, _, budget) =>
      stream([], budget, function* () {
        if (value instanceof Undefined) return;
        if (!(value instanceof Dict)) throw new Fault("Can only get item pairs from a mapping.");
        for (const entry of value.entries()) {
          budget.step();
          yield new Tuple(entry);
        }
      }),
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
      return orElse(items.at(-1), () => nothing("No last item, sequence was empty."));
    },
  ],
  length: ["", (value, _, budget) => length(value, budget)],
  list: ["", (value, _, budget) => listOf(value, budget)],
  max: extreme(-1),
  min: extreme(1),
  reverse: [
    "",
    (value, _, budget) => {
      if (isText(value)) return [...charactersOf(textOf(value), budget)].reverse().join("");
      const items = reversible(value, budget);
      if (!items) return listOf(value, budget).reverse();
      return stream(items.reverse(), budget, (all) => all);
    },
  ],
  sort: [
    "reverse? case_sensitive? attribute?",
    (value, [reverse, isSensitive, attribute = null], budget) => {
      const names = isText(attribute) ? splitNames(attribute, ",", budget) : [attribute];
      const getters = names.map((name) => getter(name, budget));
      const fold = folded(isSensitive, budget);
      const key = (item: Value) => getters.map((get) => fold(get(item)));
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
        const fold = folded(isSensitive, budget);
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

/** `select`, `reject` and the two that look at an attribute. */
function selecting(isWanted: boolean, byAttribute: boolean): Operation {
  return (value, positional, named, budget) =>
    stream(isTrue(value) ? value : [], budget, function* (items) {
      const rest = [...positional];
      if (byAttribute && rest.length === 0) throw new Fault("Missing parameter for attribute name");
      const get = byAttribute ? getter(rest.shift()!, budget) : (item: Value) => item;
      const name = rest.shift();
      const operation = name === undefined ? isTrue : testNamed(name);
      for (const item of items) if (isTrue(operation(get(item), rest, named, budget)) === isWanted) yield item;
    });
}

function mapping(value: Value, [name, ...rest]: readonly Value[], named: Named, budget: Budget): Value {
  return stream(isTrue(value) ? value : [], budget, function* (items) {
    let apply: (item: Value) => Value;
    if (name !== undefined) {
      const filter = filterNamed(name);
      apply = (item) => filter(item, rest, named, budget);
    } else {
      const unknown = [...named.keys()].find((key) => key !== "attribute" && key !== "default");
      if (unknown || !named.has("attribute")) throw new Fault(`map() cannot do with the argument '${unknown ?? ""}'`);
      apply = getter(named.get("attribute"), budget, named.get("default"));
    }
    for (const item of items) yield apply(item);
  });
}

function formatting(value: Value, positional: readonly Value[], named: Named, budget: Budget): Value {
  if (positional.length > 0 && named.size > 0)
    throw new Fault("can't handle positional and keyword arguments at the same time");
  const values = named.size > 0 ? Dict.of(named, budget) : new Tuple(positional);
  return operate("%", isText(value) ? value : str(value, budget), values, budget);
}

function found(operations: ReadonlyMap<string, Operation>, kind: string, name: Value): Operation {
  const operation = isText(name) ? operations.get(textOf(name)) : undefined;
  if (operation) return operation;
  throw new Fault(
    `No ${kind} named ${isText(name) ? `'${textOf(name)}'` : typeName(name)} found, or it is not supported.`,
  );
}

const operations = (methods: Readonly<Record<string, Method<Value>>>): [string, Operation][] =>
  Object.entries(methods).map(([name, [parameters, apply]]) => [
    name,
    (value, positional, named, budget) => {
      budget.step();
      return apply(value, bind(name, parameters, positional, named), budget);
    },
  ]);

/** The filters by name. */
const filters: ReadonlyMap<string, Operation> = new Map<string, Operation>([
  ...operations({ ...listFilters, ...textFilters }),
  ...operations({ count: listFilters.length!, d: listFilters.default!, e: textFilters.escape! }),
  ["format", formatting],
  ["map", mapping],
  ["select", selecting(true, false)],
  ["reject", selecting(false, false)],
  ["selectattr", selecting(true, true)],
  ["rejectattr", selecting(false, true)],
]);

/** The tests by name. */
const tests: ReadonlyMap<string, Operation> = new Map(operations(testMethods));

/** @throws Fault when there is none of that name */
export const filterNamed = (name: Value): Operation => found(filters, "filter", name);
/** @throws Fault when there is none of that name */
export const testNamed = (name: Value): Operation => found(tests, "test", name);
