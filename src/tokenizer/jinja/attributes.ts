/** `value.name`, `value[key]` and `value[start:stop:step]`, as the sandbox of transformers lets templates have them. */
import { asWhole, bind } from "./arguments.ts";
import type { Budget } from "./budget.ts";
import { equals } from "./compare.ts";
import { braceFormat } from "./format.ts";
import { iterate } from "./iterate.ts";
import { joinTexts, stringMethods } from "./string-methods.ts";
import {
  Attributes,
  Callable,
  charactersOf,
  Dict,
  Fault,
  Float,
  isList,
  isNumber,
  isText,
  type Named,
  Namespace,
  orElse,
  Range,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
  View,
} from "./values.ts";

// What the sandbox knows and forbids.
const changing = {
  dict: ["clear", "pop", "popitem", "setdefault", "update"],
  list: ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"],
};

/** Methods of texts that templates have no use for: said, not taken for missing. */
const otherMethods = [
  "casefold",
  "encode",
  "expandtabs",
  "format_map",
  "isidentifier",
  "isprintable",
  "maketrans",
  "swapcase",
  "translate",
];

/** The attribute of a value, else its item, else undefined. @throws Fault for those of what is not there */
export function getAttribute(value: Value, name: string, budget: Budget): Value {
  return orElse(attributeOf(value, name, budget), () =>
    orElse(itemOf(value, name, budget), () => missing(value, name)),
  );
}

/** The item of a value, else its attribute, else undefined. @throws Fault for those of what is not there */
export function getItem(value: Value, key: Value, budget: Budget): Value {
  const item = itemOf(value, key, budget);
  if (item !== undefined) return item;
  const attribute = isText(key) ? attributeOf(value, textOf(key), budget) : undefined;
  return orElse(attribute, () => missing(value, key));
}

/** The attribute alone; undefined where there is none. */
function attributeOf(value: Value, name: string, budget: Budget): Value | undefined {
  budget.characters(name.length);
  if (name.startsWith("__") && name.endsWith("__")) return forbidden(value, name);
  if (value instanceof Undefined) return value.fail();
  if (value instanceof Namespace) return value.attributes.get(name);
  if (value instanceof Attributes) return value.get(name);
  if (value instanceof Callable) return value.attributes.get(name);
  if (isText(value)) return textMethod(textOf(value), name, budget);
  if (value instanceof Dict) {
    if (changing.dict.includes(name)) return forbidden(value, name);
    const found = dictMethods.get(name);
    return found && method(name, (given, named) => found(value, given, named, budget), budget);
  }
  if (isList(value) && changing.list.includes(name)) return forbidden(value, name);
  if (isList(value) || value instanceof Tuple || value instanceof Range) {
    if (value instanceof Range && ["start", "stop", "step"].includes(name)) return value[name as "start"];
    if (value instanceof Tuple && value.names.includes(name)) return value.items[value.names.indexOf(name)];
    return listMethod(value, name, budget);
  }
  if (value instanceof Float && name === "is_integer") return method(name, () => Number.isInteger(value.value), budget);
  return undefined;
}

/** The item alone; undefined where Python raises TypeError or LookupError. */
function itemOf(value: Value, key: Value, budget: Budget): Value | undefined {
  if (value instanceof Undefined) return value.fail();
  if (value instanceof Dict) {
    try {
      return value.get(key, budget);
    } catch (error) {
      // A key that cannot be one is not there.
      if (error instanceof Fault) return undefined;
      throw error;
    }
  }
  if (typeof key !== "number" && typeof key !== "boolean") return undefined;
  const index = Number(key);
  if (isText(value)) return charactersOf(textOf(value), budget).at(index);
  if (isList(value)) return value.at(index);
  if (value instanceof Tuple) return value.items.at(index);
  if (value instanceof Range) {
    const place = index < 0 ? value.length + index : index;
    return place >= 0 && place < value.length ? value.at(place) : undefined;
  }
  return undefined;
}

function missing(value: Value, key: Value): Undefined {
  const owner = value === null ? "None" : `${typeName(value)} object`;
  return new Undefined(() =>
    isText(key)
      ? `'${owner}' has no attribute '${textOf(key)}'`
      : `${owner} has no element ${String(isNumber(key) ? key : typeName(key))}`,
  );
}

function forbidden(value: Value, name: string): Undefined {
  return new Undefined(() => `access to attribute '${name}' of '${typeName(value)}' object is unsafe.`);
}

function method(name: string, call: (positional: readonly Value[], named: Named) => Value, budget: Budget): Callable {
  budget.objects(2);
  return new Callable(name, call);
}

function textMethod(text: string, name: string, budget: Budget): Value | undefined {
  if (name === "format") return method(name, (given, named) => formatted(text, given, named, budget), budget);
  if (name === "join")
    return method(
      name,
      (given, named) => joinTexts(text, iterate(bind(name, "iterable /", given, named)[0]!, budget), budget),
      budget,
    );
  const found = stringMethods.get(name);
  if (otherMethods.includes(name)) throw new Fault(`the method ${name} of a str is not supported`);
  if (!found) return undefined;
  const [parameters, call] = found;
  return method(
    name,
    (given, named) => {
      budget.characters(text.length);
      budget.step(text.length >> 4);
      for (const value of given) if (isText(value)) budget.characters(textOf(value).length);
      const result = call(text, bind(name, parameters, given, named), budget);
      if (typeof result === "string") budget.characters(result.length);
      return result;
    },
    budget,
  );
}

function formatted(text: string, given: readonly Value[], named: Named, budget: Budget): string {
  return braceFormat(
    text,
    (first, path) => {
      let value = typeof first === "number" ? given[first] : named.get(first);
      if (value === undefined) throw new Fault(`there is no argument ${first} for the format`);
      for (const { name, isItem } of path)
        value = isItem
          ? getItem(value, /^\d+$/.test(name) ? Number(name) : name, budget)
          : getAttribute(value, name, budget);
      return value;
    },
    budget,
  );
}

type DictMethod = (dict: Dict, given: readonly Value[], named: Named, budget: Budget) => Value;

const dictMethods: ReadonlyMap<string, DictMethod> = new Map<string, DictMethod>([
  [
    "get",
    (dict, given, named, budget) => {
      const [key, otherwise] = bind("get", "key default? /", given, named);
      return orElse(dict.get(key!, budget), () => orElse(otherwise, () => null));
    },
  ],
  ["keys", (dict) => new View("keys", dict)],
  ["values", (dict) => new View("values", dict)],
  ["items", (dict) => new View("items", dict)],
  ["copy", (dict) => dict],
]);

function listMethod(value: readonly Value[] | Tuple | Range, name: string, budget: Budget): Value | undefined {
  const items = value instanceof Tuple ? value.items : value;
  if (name === "copy" && isList(value)) return method(name, () => value, budget);
  if (name === "count")
    return method(
      name,
      (given, named) => {
        const [wanted] = bind(name, "value /", given, named);
        let count = 0;
        for (const item of iterate(value, budget)) if (equals(item, wanted!, budget)) count++;
        return count;
      },
      budget,
    );
  if (name !== "index") return undefined;
  return method(
    name,
    (given, named) => {
      const [wanted, start, stop] = bind(name, "value start? stop? /", given, named);
      const limit = (place: Value | undefined, otherwise: number) => {
        const index = asWhole(place, otherwise);
        return Math.min(items.length, index < 0 ? Math.max(0, index + items.length) : index);
      };
      for (let index = limit(start, 0); index < limit(stop, items.length); index++)
        if (equals(items instanceof Range ? items.at(index) : items[index]!, wanted!, budget)) return index;
      throw new Fault("the value is not in the list");
    },
    budget,
  );
}

/** `value[start:stop:step]` @throws Fault for what cannot be cut */
export function slice(value: Value, start: Value, stop: Value, step: Value, budget: Budget): Value {
  if (value instanceof Undefined) return value.fail();
  const source = isText(value) ? charactersOf(textOf(value), budget) : value instanceof Tuple ? value.items : value;
  if (!(typeof source === "string" || isList(source) || source instanceof Range))
    throw new Fault(`'${typeName(value)}' object is not subscriptable`);
  const given = (bound: Value) => (bound === null ? undefined : asIndex(bound));
  const by = given(step) ?? 1;
  if (by === 0) throw new Fault("slice step cannot be zero");
  const { length } = source;
  const lowest = by < 0 ? -1 : 0;
  const highest = by < 0 ? length - 1 : length;
  const limit = (bound: number | undefined, otherwise: number) =>
    bound === undefined ? otherwise : Math.min(highest, Math.max(lowest, bound < 0 ? bound + length : bound));
  const first = limit(given(start), by < 0 ? highest : 0);
  const last = limit(given(stop), by < 0 ? -1 : length);
  if (source instanceof Range) return new Range(source.at(first), source.at(last), source.step * by);
  const count = Math.max(0, Math.ceil((last - first) / by));
  if (typeof source === "string" && by === 1) return source.slice(first, first + count);
  budget.slots(count);
  const items: Value[] = [];
  for (let index = 0; index < count; index++) items.push(source[first + index * by]!);
  if (isText(value)) return items.join("");
  return value instanceof Tuple ? new Tuple(items) : items;
}

function asIndex(value: Value): number {
  if (value instanceof Undefined) value.fail();
  if (!isNumber(value) || value instanceof Float)
    throw new Fault("slice indices must be integers or None or have an __index__ method");
  return asWhole(value, 0);
}
