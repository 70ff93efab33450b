/** Whether what a caller gives as a press is one, and of a kind that can be used where it is given. */
import { ArgumentError } from "../errors.ts";
import type { Press } from "../press/press.ts";
import { show } from "../show.ts";

/** The function that every kind of press has. */
const METHODS = { score: "score", select: "select", model: "select", steps: "begin", question: undefined } as const;

/** Where presses of a kind are used. */
const PLACES = {
  score: "after a pass",
  select: "after a pass",
  model: "after a pass: use session.prefill(tokens, { press }) or session.read(text, { press })",
  steps: "while decoding: use session.prefill(tokens, { press })",
  question: "by questions: use session.read(text, { questions, press })",
} as const;

/**
 * @param kinds those that can be used
 * @param where the function that takes the press
 * @throws ArgumentError for what is no press, and for a kind that cannot be used
 */
export function checkPress(press: unknown, kinds: readonly Press["kind"][], where: string): asserts press is Press {
  const { kind, name } = (typeof press === "object" && press !== null ? press : {}) as Partial<Press>;
  const method = kind === undefined ? undefined : METHODS[kind];
  const known = kind !== undefined && Object.hasOwn(METHODS, kind);
  if (!known || typeof name !== "string" || (method && typeof (press as never)[method] !== "function")) {
    throw new ArgumentError(`The press of ${where} should be one, such as press("knorm"), and is ${show(press)}`);
  }
  if (!kinds.includes(kind)) {
    throw new ArgumentError(`The ${name} press cannot be used in ${where}: it compresses ${PLACES[kind]}`);
  }
}
