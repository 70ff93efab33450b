/** Text without end: what generation does so that neither memory nor time a token grows (StreamingLLM, arXiv 2309.17453). */
import { ArgumentError, ContextError } from "../errors.ts";
import type { Protect } from "../press/budget.ts";
import { streamingLLM } from "../press/methods/streaming-llm.ts";
import type { LayerPress } from "../press/press.ts";
import { show } from "../show.ts";
import { checkPress } from "./check-press.ts";

/** How generation forgets. Without any of these nothing is forgotten, and the text ends with the window. */
export interface EndlessOptions {
  /** Entries that every head is brought back to; default 1024. */
  readonly budget?: number | undefined;
  /** Tokens from one compression to the next: a head holds `budget + every` entries at most; default 256. */
  readonly every?: number | undefined;
  /** Default StreamingLLM: the first 4 entries and the newest. One that needs only keys, values and positions. */
  readonly press?: LayerPress | undefined;
}

/** What an endless generation compresses with, to how many entries, and when. */
export interface Forgetting {
  readonly press: LayerPress;
  readonly budget: number;
  readonly every: number;
  /** Entries that stay whatever happens. */
  readonly protect?: Protect;
}

/** The names of the options. */
export const ENDLESS_OPTIONS = ["budget", "every", "press"] as const;

/**
 * @param window positions that the session may use
 * @returns undefined where nothing is to be forgotten
 * @throws ArgumentError for settings that cannot be, a press that cannot be used so, and a budget that is too small for
 * it; ContextError for settings that would fill the window
 */
export function forgetting(options: EndlessOptions, contextSize: number): Forgetting | undefined {
  if (options.budget === undefined && options.every === undefined && options.press === undefined) return undefined;
  const { budget = 1024, every = 256, press = streamingLLM() } = options;
  for (const [name, value] of Object.entries({ budget, every })) {
    if (!Number.isInteger(value) || value < 1) {
      throw new ArgumentError(`${name} should be a positive whole number and is ${show(value)}`);
    }
  }
  checkPress(press, ["score", "select"], "generate");
  if (press.needs) throw new ArgumentError(`The ${press.name} press looks at queries, which generate does not keep`);
  if (press.ownBudget) throw new ArgumentError(`The ${press.name} press says itself how much it keeps`);
  const least = press.least ?? 1;
  if (budget < least) {
    throw new ArgumentError(`The ${press.name} press keeps ${least} entries at least; the budget is ${budget}`);
  }
  if (budget + every > contextSize) {
    throw new ContextError(
      `budget ${budget} and ${every} tokens from one compression to the next exceed the window of ${contextSize} positions`,
    );
  }
  return { press, budget, every };
}
