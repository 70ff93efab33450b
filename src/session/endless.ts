/** Text without end: what generation does so that neither memory nor time a token grows (StreamingLLM, arXiv 2309.17453). */
import { ArgumentError, ContextError } from "../errors.ts";
import { BUDGET_OPTIONS, type Budget, type Room, type Target, targetOf } from "../press/budget.ts";
import { streamingLLM } from "../press/methods/streaming-llm.ts";
import type { LayerPress } from "../press/press.ts";
import { checkCacheOnly, checkPress } from "../press/tools/check-press.ts";
import { show } from "../show.ts";

/**
 * How generation forgets. Without any of these nothing is forgotten, and the text ends with the window. A budget is what
 * every head is brought back to, 1024 entries when not given; a `ratio` of a text without end is none.
 */
export interface EndlessOptions extends Budget {
  /** Tokens from one compression to the next: a head holds `budget + every` entries at most; default 256. */
  readonly every?: number | undefined;
  /** Default StreamingLLM: the first 4 entries and the newest. One that needs only keys, values and positions. */
  readonly press?: LayerPress | undefined;
}

/** What an endless generation compresses with, to how many entries, and when. */
export interface Forgetting {
  readonly press: LayerPress;
  readonly target: Target;
  /** Entries that the fullest head is brought back to. */
  readonly most: number;
  readonly every: number;
}

/** The names of the options. */
export const ENDLESS_OPTIONS = [...BUDGET_OPTIONS, "every", "press"] as const;

/**
 * @param contextSize positions that the session may use
 * @param room the cache that is compressed
 * @returns undefined where nothing is to be forgotten
 * @throws ArgumentError for settings that cannot be, a press that cannot be used so, and a budget that is too small for
 * it; ContextError for settings that would fill the window
 */
export function forgetting(options: EndlessOptions, contextSize: number, room: Room): Forgetting | undefined {
  if (ENDLESS_OPTIONS.every((name) => options[name] === undefined)) return undefined;
  const { every = 256, press = streamingLLM() } = options;
  if (!Number.isInteger(every) || every < 1) {
    throw new ArgumentError(`every should be a positive whole number and is ${show(every)}`);
  }
  checkPress(press, ["score", "select"], "press of generate");
  checkCacheOnly(press, "press of generate");
  if (press.ownBudget) throw new ArgumentError(`The ${press.name} press says itself how much it keeps`);
  const target = targetOf(options, press, room, 1024);
  const { most } = target;
  if (most === undefined) throw new ArgumentError("generate takes budget or bytes: a text without end has no ratio");
  const least = press.least ?? 1;
  if (most < least) {
    throw new ArgumentError(`The ${press.name} press keeps ${least} entries at least; the budget is ${most}`);
  }
  if (most + every > contextSize) {
    throw new ContextError(
      `budget ${most} and ${every} tokens from one compression to the next exceed the window of ${contextSize} positions`,
    );
  }
  return { press, target, most, every };
}
