/** A press from a module of the user's own. */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ArgumentError } from "../errors.ts";
import type { MakePress } from "../eval/run.ts";
import { checkPress } from "../press/tools/check-press.ts";

/**
 * Loads a module whose default export is a press, or makes one when it is called without options.
 * @throws ArgumentError for a module that cannot be loaded or has none
 */
export async function pressFromFile(path: string): Promise<{ readonly name: string; readonly make: MakePress }> {
  let given: unknown;
  try {
    ({ default: given } = await import(pathToFileURL(resolve(path)).href));
  } catch (error) {
    throw new ArgumentError(`${path} cannot be loaded: ${error instanceof Error ? error.message : error}`, {
      cause: error,
    });
  }
  const make = () => {
    const press: unknown = typeof given === "function" ? given() : given;
    checkPress(press, ["score", "select", "model"], `default export of ${path}`);
    return press;
  };
  return { name: make().name, make };
}
