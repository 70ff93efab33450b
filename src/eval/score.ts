/** Compares an answer with what it should contain, and what a session kept with where the answer stands. */
import type { Session } from "../session/session.ts";
import type { Task } from "./tasks.ts";

/** The part of the expected answers that an answer contains, letter case aside: RULER's `string_match_all`. */
export function scoreAnswer(answer: string, expected: readonly string[]): number {
  const text = answer.toLowerCase();
  return expected.filter((part) => text.includes(part.toLowerCase())).length / expected.length;
}

/**
 * The part of the answer's own entries that survived, over all layers and KV heads.
 * @param offset tokens of the session before the document
 */
export function scoreEvidence(session: Session, { evidence }: Pick<Task, "evidence">, offset: number): number {
  const { layers, kvHeads } = session.config;
  const wanted = new Set(
    evidence.flatMap(({ first, end }) => Array.from({ length: end - first }, (_, index) => offset + first + index)),
  );
  let kept = 0;
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < kvHeads; head++) {
      for (const position of session.positions(layer, head)) if (wanted.has(position)) kept++;
    }
  }
  return kept / (wanted.size * layers * kvHeads);
}
