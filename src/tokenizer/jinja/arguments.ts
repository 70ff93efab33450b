/** How arguments reach the parameters of what templates can call. */
import { Fault } from "./faults.ts";
import { isText, isTrue, type Named, textOf, typeName, type Value } from "./values.ts";

/**
 * The arguments in the order of the parameters, undefined for those not given.
 * @param parameters names with spaces between; behind "/" they can be given by name, one with "?" may be left out
 * @throws Fault as Python would raise
 */
export function bind(
  name: string,
  parameters: string,
  positional: readonly Value[],
  named: Named,
): (Value | undefined)[] {
  const list = parameters === "" ? [] : parameters.split(" ");
  const all = list.filter((parameter) => parameter !== "/");
  const positionalOnly = Math.max(0, list.indexOf("/"));
  if (positional.length > all.length)
    throw new Fault(`${name}() takes at most ${all.length} arguments (${positional.length} given)`);
  const result: (Value | undefined)[] = all.map((_, index) => positional[index]);
  for (const [key, value] of named) {
    const index = all.findIndex((parameter, at) => at >= positionalOnly && parameter.replace("?", "") === key);
    if (index < 0) throw new Fault(`${name}() got an unexpected keyword argument '${key}'`);
    if (result[index] !== undefined) throw new Fault(`${name}() got multiple values for argument '${key}'`);
    result[index] = value;
  }
  const missing = all.findIndex((parameter, index) => result[index] === undefined && !parameter.endsWith("?"));
  if (missing >= 0) throw new Fault(`${name}() missing required argument: '${all[missing]}'`);
  return result;
}

/** A text that is given. @throws Fault when it is something else */
export function asText(value: Value | undefined): string {
  if (value !== undefined && isText(value)) return textOf(value);
  throw new Fault(`must be str, not ${typeName(value ?? null)}`);
}

/** An int that is given. @throws Fault when it is something else */
export function asWhole(value: Value | undefined, otherwise: number): number {
  if (value === undefined) return otherwise;
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "number") return value;
  throw new Fault(`'${typeName(value)}' object cannot be interpreted as an integer`);
}

export const asBoolean = (value: Value | undefined): boolean => value !== undefined && isTrue(value);
