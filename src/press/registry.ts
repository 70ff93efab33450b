/** Every method by its name, with kvpress's parameters in camel case. */
import { ArgumentError } from "../errors.ts";
import { show } from "../show.ts";
import * as factories from "./factories.ts";
import type { Press } from "./press.ts";
import type { Setting } from "./settings.ts";

type AnyDefinition = (typeof factories)[keyof typeof factories]["definition"];

/** The definitions of all methods, in the order of their names. */
export const definitions: readonly AnyDefinition[] = Object.values(factories)
  .map(({ definition }) => definition)
  .sort((a, b) => (a.name < b.name ? -1 : 1));

/** The name of a method: that of kvpress's class in lower case, without "Press". */
export type PressName = AnyDefinition["name"];

/** The names of all methods, in alphabetical order. */
export const pressNames: readonly PressName[] = definitions.map(({ name }) => name);

type Named<Name extends PressName> = Extract<AnyDefinition, { readonly name: Name }>;

/** The options of a method; a press among them may be a name. */
type Parameters<Name extends PressName> = OrNames<Named<Name>["make"] extends (given: infer G) => Press ? G : never>;

type OrNames<Given> = {
  [Option in keyof Given]: Given[Option] extends Press ? Given[Option] | string : Given[Option];
};

/**
 * A method by its name.
 * @param name one of `pressNames`
 * @param parameters as the method's own function takes them; `press` is what it wraps. Where a press is wanted, the name of
 * one that needs no parameters will do
 * @throws ArgumentError for an unknown name or parameter, a missing one, and settings that cannot be
 */
export function press<Name extends PressName>(
  name: Name,
  parameters?: Parameters<Name>,
): ReturnType<Named<Name>["make"]>;
export function press(name: string, parameters?: object): Press;
export function press(name: string, parameters: object = {}): Press {
  const definition = definitions.find((known) => known.name === name);
  if (!definition) throw new ArgumentError(`There is no press ${show(name)}; there are ${pressNames.join(", ")}`);
  const made = Object.entries<Setting>(definition.settings).flatMap(([option, { kinds }]) => {
    const given = (parameters as Readonly<Record<string, unknown>> | null)?.[option];
    return kinds && typeof given === "string" ? [[option, press(given)]] : [];
  });
  return definition.make((made.length > 0 ? { ...parameters, ...Object.fromEntries(made) } : parameters) as never);
}
