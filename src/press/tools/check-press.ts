/** Whether what a caller gives as a press is one, and of a kind that can be used where it is given. */
import { ArgumentError } from "../../errors.ts";
import { show } from "../../show.ts";
import type { Press, PressNeeds } from "../press.ts";

/** The presses of some kinds. */
export type PressOfKind<Kind extends Press["kind"]> = Extract<Press, { readonly kind: Kind }>;

/** The function that every kind of press has. */
const METHODS = { score: "score", select: "select", model: "select", steps: "begin" } as const;

/** Where presses of a kind are used. */
const PLACES = {
  score: "after a pass",
  select: "after a pass",
  model: "after a pass: use session.prefill(tokens, { press }) or session.read(text, { press })",
  steps: "while decoding: use session.prefill(tokens, { press })",
  questions: "by questions: use session.read(text, { questions, press })",
} as const;

/**
 * @param kinds those that can be used
 * @param where what it is, such as "press of read"
 * @param asks whether questions can be run for it
 * @throws ArgumentError for what is no press, and for a kind that cannot be used
 */
export function checkPress<const Kind extends Press["kind"]>(
  press: unknown,
  kinds: readonly Kind[],
  where: string,
  asks = true,
): asserts press is PressOfKind<Kind> {
  const { kind, name, needs } = (typeof press === "object" && press !== null ? press : {}) as Partial<Press>;
  const known = kind !== undefined && Object.hasOwn(METHODS, kind);
  if (!known || typeof name !== "string" || typeof (press as never)[METHODS[kind]] !== "function") {
    throw new ArgumentError(`The ${where} should be one, such as press("knorm"), and is ${show(press)}`);
  }
  if (kinds.includes(kind as Kind) && (asks || !needs?.questions)) return;
  const scores = kinds.every((usable) => usable === "score") && kind !== "score";
  const reason = scores ? "gives no scores" : `compresses ${PLACES[needs?.questions ? "questions" : kind]}`;
  throw new ArgumentError(`The ${name} press cannot be the ${where}: it ${reason}`);
}

/** Whether a press looks at more than keys, values and positions. */
export function looksAtPass({ needs }: { readonly needs?: PressNeeds | undefined }): boolean {
  return needs?.queryRows !== undefined || needs?.questions !== undefined;
}

/** @param where what it is, such as "press of block" @throws ArgumentError for a press that looks at more than the cache */
export function checkCacheOnly(press: Press, where: string): void {
  if (looksAtPass(press))
    throw new ArgumentError(`The ${press.name} press cannot be the ${where}: it looks at queries`);
}

/**
 * What several presses need together.
 * @throws ArgumentError where they would pool the attention of questions in different ways
 */
export function joinedNeeds(presses: readonly { readonly needs?: PressNeeds | undefined }[]): PressNeeds | undefined {
  const all = presses.flatMap(({ needs }) => (needs ? [needs] : []));
  if (all.length === 0) return undefined;
  const questions = all.flatMap((needs) => (needs.questions ? [needs.questions] : []));
  const [first] = questions;
  if (questions.some((q) => q.pooling !== first!.pooling || q.granularity !== first!.granularity)) {
    throw new ArgumentError("Presses that look at questions in different ways cannot be used together");
  }
  const rows = all.flatMap((needs) => needs.queryRows ?? []);
  return {
    ...(rows.length > 0 && { queryRows: Math.max(...rows) }),
    ...(first && { questions: first }),
    ...(all.some((needs) => needs.textLength) && { textLength: true }),
  };
}
