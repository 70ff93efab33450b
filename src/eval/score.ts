/** Compares an answer with what it should contain, and what a session kept with where the answer stands. */
import type { Session } from "../session/session.ts";
import { scoreSquad } from "./squad.ts";
import type { Task } from "./task.ts";

/** What an answer came to. */
export interface Score {
  /** The part of what was expected that the answer contains, 0 to 1. */
  readonly right: number;
  /** SQuAD's exact match and F1, where the task is scored so. */
  readonly exact?: number;
  readonly f1?: number;
}

/** RULER's `string_match_all` and `string_match_part`, letter case aside, or SQuAD's figures. */
export function scoreAnswer(answer: string, { answers, match }: Pick<Task, "answers" | "match">): Score {
  if (match === "squad") {
    const { contains, exact, f1 } = scoreSquad(answer, answers);
    return { right: contains, exact, f1 };
  }
  const text = answer.toLowerCase();
  const found = answers.filter((part) => text.includes(part.toLowerCase())).length;
  return { right: match === "all" ? found / answers.length : Number(found > 0) };
}

/**
 * The part of the answer's own entries that survived, over all layers and KV heads.
 * @param offset tokens of the session before the document
 * @returns undefined where no part of the text is the evidence
 */
export function scoreEvidence(
  session: Session,
  { evidence }: Pick<Task, "evidence">,
  offset: number,
): number | undefined {
  const { layers, kvHeads } = session.config;
  const wanted = new Set(
    evidence.flatMap(({ first, end }) => Array.from({ length: end - first }, (_, index) => offset + first + index)),
  );
  if (wanted.size === 0) return undefined;
  let kept = 0;
  for (let layer = 0; layer < layers; layer++) {
    for (let head = 0; head < kvHeads; head++) {
      for (const position of session.positions(layer, head)) if (wanted.has(position)) kept++;
    }
  }
  return kept / (wanted.size * layers * kvHeads);
}
