/** `value.name`, `value[key]` and `value[start:stop:step]`, as the sandbox of transformers lets templates have them. */
import { asWhole, bind } from "./arguments.ts";
import type { Budget } from "./budget.ts";
import { equals } from "./compare.ts";
import { Fault } from "./faults.ts";
import { braceFormat } from "./format.ts";
import { type Method, stringMethods } from "./strings.ts";
import {
  Callable,
  charactersOf,
  Dict,
  isList,
  isNumber,
  isText,
  LoopState,
  Markup,
  marked,
  type Named,
  Namespace,
  orElse,
  sequenceOf,
  Tuple,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

// What the sandbox knows and forbids.
const changing: Record<string, readonly string[]> = {
  dict: ["clear", "pop", "popitem", "setdefault", "update"],
  list: ["append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"],
};

const dictMethods: Readonly<Record<string, Method<Dict>>> = {
  get: ["key default? /", (dict, [key, otherwise], budget) => orElse(dict.get(key!, budget), () => otherwise ?? null)],
  keys: ["", (dict, _, budget) => view(dict.keys(), "dict_keys", budget)],
  values: [
    "",
    (dict, _, budget) =>
      view(
        map(dict.entries(), ([, value]) => value),
        "dict_values",
        budget,
      ),
  ],
  items: [
    "",
    (dict, _, budget) =>
      view(
        map(dict.entries(), (entry) => new Tuple(entry)),
        "dict_items",
        budget,
      ),
  ],
  copy: ["", (dict) => dict],
};

const sequenceMethods: Readonly<Record<string, Method<readonly Value[]>>> = {
  count: ["value /", (items, [wanted], budget) => items.filter((item) => equals(item, wanted!, budget)).length],
  index: [
    "value /",
    (items, [wanted], budget) => {
      const index = items.findIndex((item) => equals(item, wanted!, budget));
      if (index < 0) throw new Fault("the value is not in the list");
      return index;
    },
  ],
};

function view(items: Iterable<Value>, type: Tuple["type"], budget: Budget): Tuple {
  const list: Value[] = [];
  for (const item of items) {
    budget.step();
    budget.objects(type === "dict_items" ? 2 : 1);
    list.push(item);
  }
  return new Tuple(list, type);
}

function* map<T>(items: Iterable<T>, make: (item: T) => Value): Iterable<Value> {
  for (const item of items) yield make(item);
}

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
  if (value instanceof Undefined) return value.fail();
  if (value instanceof Namespace) return value.attributes.get(name);
  if (value instanceof LoopState) return value.get(name);
  if (changing[typeName(value)]?.includes(name) || (name.startsWith("__") && name.endsWith("__")))
    return new Undefined(() => `access to attribute '${name}' of '${typeName(value)}' object is unsafe.`);
  budget.objects(2);
  if (isText(value)) {
    if (name === "format" && typeof value === "string")
      return new Callable((positional, named) => formatted(value, positional, named, budget));
    if (value instanceof Markup && ["format", "join", "replace"].includes(name))
      throw new Fault(`the method ${name} of a text that is marked as safe is not supported`);
    return method(textOf(value), name, stringMethods, budget, (result) => likewise(result, value));
  }
  if (value instanceof Dict) return method(value, name, dictMethods, budget);
  if (isList(value) && name === "copy") return new Callable(() => value);
  const items = sequenceOf(value);
  return items && method(items, name, sequenceMethods, budget);
}

function method<T>(
  owner: T,
  name: string,
  methods: Readonly<Record<string, Method<T> | "unsupported">>,
  budget: Budget,
  finish = (result: Value) => result,
): Callable | undefined {
  if (!Object.hasOwn(methods, name)) return undefined;
  const found = methods[name]!;
  if (found === "unsupported") throw new Fault(`the method ${name} is not supported`);
  const [parameters, call] = found;
  return new Callable((positional, named) => {
    // A text is read by most of its methods.
    if (typeof owner === "string") budget.text(owner);
    for (const value of positional) if (isText(value)) budget.characters(textOf(value).length);
    const result = call(owner, bind(name, parameters, positional, named), budget);
    if (typeof result === "string") budget.characters(result.length);
    return finish(result);
  });
}

/** What a method gives, its texts marked when the text that it belongs to is. */
function likewise(result: Value, source: string | Markup): Value {
  if (typeof source === "string") return result;
  if (typeof result === "string") return marked(result, source);
  if (isList(result)) return result.map((one) => likewise(one, source));
  return result instanceof Tuple ? new Tuple(result.items.map((one) => likewise(one, source))) : result;
}

/** The item alone; undefined where Python raises TypeError or LookupError. */
function itemOf(value: Value, key: Value, budget: Budget): Value | undefined {
  if (value instanceof Undefined) return value.fail();
  // A key that cannot be one is not there.
  if (value instanceof Dict) return isList(key) || key instanceof Dict ? undefined : value.get(key, budget);
  if (typeof key !== "number" && typeof key !== "boolean") return undefined;
  if (!isText(value)) return sequenceOf(value)?.at(Number(key));
  const character = charactersOf(textOf(value), budget).at(Number(key));
  return character === undefined ? undefined : marked(character, value);
}

function missing(value: Value, key: Value): Undefined {
  const owner = value === null ? "None" : `${typeName(value)} object`;
  return new Undefined(() =>
    isText(key)
      ? `'${owner}' has no attribute '${textOf(key)}'`
      : `${owner} has no element ${String(isNumber(key) ? key : typeName(key))}`,
  );
}

function formatted(text: string, positional: readonly Value[], named: Named, budget: Budget): string {
  return braceFormat(
    text,
    (first, path) => {
      let value = typeof first === "number" ? positional[first] : named.get(first);
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

/** `value[start:stop:step]` @throws Fault for what cannot be cut */
export function slice(value: Value, bounds: readonly Value[], budget: Budget): Value {
  if (value instanceof Undefined) return value.fail();
  const source = isText(value) ? charactersOf(textOf(value), budget) : sequenceOf(value);
  if (source === undefined) throw new Fault(`'${typeName(value)}' object is not subscriptable`);
  const [start, stop, step = 1] = bounds.map((bound) => {
    if (bound instanceof Undefined) bound.fail();
    return bound === null ? undefined : asWhole(bound, 0);
  });
  if (step === 0) throw new Fault("slice step cannot be zero");
  const { length } = source;
  const [lowest, highest] = step < 0 ? [-1, length - 1] : [0, length];
  const limit = (bound: number | undefined, otherwise: number) =>
    bound === undefined ? otherwise : Math.min(highest, Math.max(lowest, bound < 0 ? bound + length : bound));
  const first = limit(start, step < 0 ? highest : lowest);
  const last = limit(stop, step < 0 ? lowest : highest);
  const count = Math.max(0, Math.ceil((last - first) / step));
  if (typeof source === "string" && step === 1) return marked(source.slice(first, first + count), value);
  budget.slots(count);
  const items: Value[] = [];
  for (let index = 0; index < count; index++) items.push(source[first + index * step]!);
  if (isText(value)) return marked(items.join(""), value);
  return value instanceof Tuple ? new Tuple(items, value.type) : items;
}
