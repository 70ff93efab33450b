/** Numbers as Python has them. */
import { Fault } from "./faults.ts";
import { Float, type Value } from "./values.ts";

/** The value of an int or a boolean, undefined for anything else. */
export function wholeOf(value: Value): number | undefined {
  return typeof value === "boolean" || typeof value === "number" ? Number(value) : undefined;
}

/** The value of a number, undefined for anything else. */
export function doubleOf(value: Value): number | undefined {
  return value instanceof Float ? value.value : wholeOf(value);
}

/** An int that is computed. @throws Fault beyond 2^53, where it would not be exact */
export function exact(value: number): number {
  if (!Number.isSafeInteger(value)) throw new Fault("an integer is beyond 2^53, which is not supported");
  // Adding 0 makes 0 of -0.
  return value + 0;
}
