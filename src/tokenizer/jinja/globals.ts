/** What templates can call without being given it. */
import { asWhole, bind } from "./arguments.ts";
import type { Budget } from "./budget.ts";
import { checkAttribute } from "./evaluate.ts";
import { iterate, listOf } from "./iterate.ts";
import { strftime } from "./strftime.ts";
import { str } from "./text.ts";
import {
  Attributes,
  Callable,
  Dict,
  Fault,
  isText,
  type Named,
  Namespace,
  Range,
  Refusal,
  textOf,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** The sandbox allows no longer ones. */
const LONGEST_RANGE = 100_000;

/** Jinja's globals and those of transformers. @param now the time that `strftime_now` tells */
export function globals(budget: Budget, now: Date): Map<string, Value> {
  const functions: Record<string, (positional: readonly Value[], named: Named) => Value> = {
    range(positional, named) {
      const given = bind("range", "start stop? step? /", positional, named);
      for (const value of given) if (value instanceof Undefined) value.fail();
      const [first, second, step] = given.map((value) => (value === undefined ? undefined : asWhole(value, 0)));
      if (step === 0) throw new Fault("range() arg 3 must not be zero");
      const range = second === undefined ? new Range(0, first!, 1) : new Range(first!, second, step ?? 1);
      if (range.length > LONGEST_RANGE)
        throw new Fault(`Range too big. The sandbox blocks ranges larger than MAX_RANGE (${LONGEST_RANGE}).`);
      return range;
    },
    namespace(positional, named) {
      const dict = dictOf("namespace", positional, named, budget);
      const attributes = new Map<string, Value>();
      for (const [name, value] of dict.entries()) {
        if (!isText(name)) throw new Fault("attribute name must be string");
        checkAttribute(textOf(name));
        attributes.set(textOf(name), value);
      }
      return new Namespace(attributes);
    },
    raise_exception(positional, named) {
      const [message] = bind("raise_exception", "message", positional, named);
      throw new Refusal(str(message!, budget));
    },
    strftime_now(positional, named) {
      const [format] = bind("strftime_now", "format", positional, named);
      if (!isText(format!)) throw new Fault(`strftime() argument 1 must be str, not ${typeName(format!)}`);
      return strftime(textOf(format), now, budget);
    },
  };
  const values = Object.entries(functions).map(([name, call]): [string, Value] => [
    name,
    new Callable(name, (positional, named) => {
      budget.objects(4 + positional.length + 2 * named.size);
      return call(positional, named);
    }),
  ]);
  const fromKeys = new Callable("fromkeys", (positional, named) => {
    const [keys, value = null] = bind("fromkeys", "iterable value? /", positional, named);
    const dict = new Dict();
    for (const key of iterate(keys!, budget)) {
      dict.set(key, value, budget);
    }
    return dict;
  });
  const dict = new Callable(
    "dict",
    (positional, named) => dictOf("dict", positional, named, budget),
    new Map([["fromkeys", fromKeys]]),
  );
  // The blocks of a template by name, which none has.
  const self = new Attributes("TemplateReference", () => undefined);
  return new Map<string, Value>([...values, ["dict", dict], ["self", self]]);
}

/** `dict(mapping or pairs, **named)` */
function dictOf(name: string, positional: readonly Value[], named: Named, budget: Budget): Dict {
  if (positional.length > 1) throw new Fault(`${name} expected at most 1 argument, got ${positional.length}`);
  const [source] = positional;
  if (source instanceof Undefined) source.fail();
  const dict = new Dict();
  const set = (key: Value, value: Value) => dict.set(key, value, budget);
  if (source instanceof Dict) for (const [key, value] of source.entries()) set(key, value);
  else if (source !== undefined) {
    for (const pair of iterate(source, budget)) {
      const items = listOf(pair, budget);
      if (items.length !== 2) throw new Fault("a sequence of pairs is required to make a dict");
      set(items[0]!, items[1]!);
    }
  }
  for (const [key, value] of named) set(key, value);
  return dict;
}
