/** What templates can call without being given it. */
import { asWhole, bind } from "./arguments.ts";
import type { Budget } from "./budget.ts";
import { Fault, Refusal } from "./faults.ts";
import { iterate, listOf } from "./iterate.ts";
import { strftime } from "./strftime.ts";
import { str } from "./text.ts";
import {
  Callable,
  Dict,
  isText,
  type Named,
  Namespace,
  Tuple,
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
    dict: (positional, named) => Dict.of(pairs("dict", positional, named, budget), budget),
    namespace(positional, named) {
      const namespace = new Namespace();
      for (const [name, value] of pairs("namespace", positional, named, budget)) {
        if (!isText(name)) throw new Fault("attribute name must be string");
        namespace.set(textOf(name), value);
      }
      return namespace;
    },
    raise_exception(positional, named) {
      const [message] = bind("raise_exception", "message", positional, named);
      throw new Refusal(str(message!, budget));
    },
    range(positional, named) {
      const given = bind("range", "start stop? step? /", positional, named);
      for (const value of given) if (value instanceof Undefined) value.fail();
      const [first, second, step = 1] = given.map((value) => (value === undefined ? undefined : asWhole(value, 0)));
      return range(second === undefined ? 0 : first!, second ?? first!, step, budget);
    },
    strftime_now(positional, named) {
      const [format] = bind("strftime_now", "format", positional, named);
      if (!isText(format!)) throw new Fault(`strftime() argument 1 must be str, not ${typeName(format!)}`);
      return strftime(textOf(format), now, budget);
    },
  };
  const values = Object.entries(functions).map(([name, call]): [string, Value] => [
    name,
    new Callable((positional, named) => {
      budget.objects(4 + positional.length + 2 * named.size);
      return call(positional, named);
    }),
  ]);
  // The blocks of a template by name, of which there are none.
  return new Map<string, Value>([...values, ["self", new Namespace()]]);
}

function range(start: number, stop: number, step: number, budget: Budget): Tuple {
  if (step === 0) throw new Fault("range() arg 3 must not be zero");
  const length = Math.max(0, Math.ceil((stop - start) / step));
  if (length > LONGEST_RANGE)
    throw new Fault(`Range too big. The sandbox blocks ranges larger than MAX_RANGE (${LONGEST_RANGE}).`);
  budget.slots(length);
  const items: number[] = [];
  for (let index = 0; index < length; index++) items.push(start + index * step);
  return new Tuple(items, "range");
}

/** What `dict(mapping or pairs, **named)` holds. */
function* pairs(
  name: string,
  [source, ...others]: readonly Value[],
  named: Named,
  budget: Budget,
): Iterable<readonly [Value, Value]> {
  if (others.length > 0) throw new Fault(`${name} expected at most 1 argument, got ${others.length + 1}`);
  if (source instanceof Undefined) source.fail();
  if (source instanceof Dict) yield* source.entries();
  else if (source !== undefined)
    for (const pair of iterate(source, budget)) {
      const [key, value, ...more] = listOf(pair, budget);
      if (value === undefined || more.length > 0) throw new Fault("a sequence of pairs is required to make a dict");
      yield [key!, value];
    }
  yield* named;
}
