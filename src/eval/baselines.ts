/** What stands beside every method: the most a model could do, and what people would do without a compressed cache. */
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Kept } from "./grid.ts";
import { bestPassages } from "./passages.ts";
import type { Task } from "./task.ts";

/**
 * Instead of the document the model reads, in a whole cache: `passage` what holds the answer and nothing else; `bm25` the
 * passages that a search finds, of as many tokens together as a method keeps entries.
 */
export const BASELINES = ["passage", "bm25"] as const;
export type Baseline = (typeof BASELINES)[number];

export function isBaseline(method: string): method is Baseline {
  return (BASELINES as readonly string[]).includes(method);
}

/** The text in the document's place; undefined where no part of a task's text suffices. */
export function baselineText(
  tokenizer: Tokenizer,
  baseline: Baseline,
  { text, tokens, question, passage }: Task,
  kept: Kept | undefined,
): string | undefined {
  if (baseline === "passage") return passage;
  const budget = kept?.budget ?? Math.max(1, Math.round(tokens.length * (1 - (kept?.ratio ?? 0))));
  return bestPassages(tokenizer, text, question, budget);
}
