/** How many entries survive: an absolute number, the part removed, or the bytes that the cache may take. */
import { ArgumentError } from "../errors.ts";
import { checkOptions } from "../options.ts";
import { show } from "../show.ts";

/** Entries that survive whatever their score. */
export interface Protect {
  /** From the start: attention sinks, the head of the prompt. */
  readonly first?: number;
  /** The newest. */
  readonly last?: number;
}

/**
 * How much to keep, in one of three measures, wherever a press compresses: in `prefill`, `compress`, `read` and `generate`.
 * None for a press that says itself how much it keeps.
 */
export interface Budget {
  /** Entries of every head, or of each: [layers][KV heads]. */
  readonly budget?: number | readonly (readonly number[])[] | undefined;
  /** The part of the entries to remove (kvpress's `compression_ratio`), from 0 to below 1. */
  readonly ratio?: number | undefined;
  /** What `session.byteLength` may be afterwards at most. */
  readonly bytes?: number | undefined;
  readonly protect?: Protect | undefined;
}

/** The layer and the lengths that a target is asked about. */
interface Lengths {
  readonly layer: number;
  length(head: number): number;
}

/** How many entries each head should keep, on the average where a press lets heads differ. */
export interface Target {
  /** Entries of a head's budget; the head may hold fewer. */
  share(entries: Lengths, head: number): number;
  /** The part that a head should lose, from 0 to below 1: kvpress's compression ratio. */
  ratio(entries: Lengths, head: number): number;
  /** The ratio that was asked for; undefined where a number of entries was. */
  readonly asked?: number;
  /** The most entries that any head is to keep; undefined where that depends on what it holds. */
  readonly most?: number;
  readonly protect: Required<Protect>;
}

/** Entries that a head keeps when every head keeps its own budget: from 1 to its length. */
export function keptOf(target: Target, entries: Lengths, head: number): number {
  return Math.min(target.share(entries, head), entries.length(head));
}

/**
 * Entries that several heads keep when they share their budgets.
 * @param entries the layers whose heads share
 */
export function keptTogether(target: Target, entries: readonly (Lengths & { readonly kvHeads: number })[]): number {
  let shares = 0;
  let held = 0;
  for (const layer of entries) {
    for (let head = 0; head < layer.kvHeads; head++) {
      shares += target.share(layer, head);
      held += layer.length(head);
    }
  }
  return Math.min(shares, held);
}

const unprotected: Required<Protect> = { first: 0, last: 0 };

/** Entries that are left of `length`, as kvpress counts: int(length · (1 - ratio)), at least 1. */
export function remaining(length: number, ratio: number): number {
  return Math.max(1, Math.trunc(length * (1 - ratio)));
}

/** Removes a part. @throws ArgumentError for a ratio outside [0, 1) */
export function ratioTarget(ratio: number, protect: Required<Protect> = unprotected): Target {
  if (typeof ratio !== "number" || !(ratio >= 0 && ratio < 1))
    throw new ArgumentError(`ratio should be in [0, 1) and is ${show(ratio)}`);
  return {
    share: (entries, head) => remaining(entries.length(head), ratio),
    ratio: () => ratio,
    asked: ratio,
    protect,
  };
}

/** Keeps a number of entries, one for all heads or [layers][KV heads]. @throws ArgumentError for no positive whole number */
export function countTarget(
  budget: number | readonly (readonly number[])[],
  protect: Required<Protect> = unprotected,
): Target {
  const counts = typeof budget === "number" ? [[budget]] : budget;
  for (const [layer, list] of counts.entries()) {
    for (const [head, count] of list.entries()) {
      if (!Number.isInteger(count) || count < 1) {
        const where = typeof budget === "number" ? "" : ` of layer ${layer}, head ${head}`;
        throw new ArgumentError(`budget${where} should be a positive whole number of entries and is ${show(count)}`);
      }
    }
  }
  const share = (entries: Lengths, head: number) =>
    typeof budget === "number" ? budget : budget[entries.layer]![head]!;
  return {
    share,
    ratio: (entries, head) => Math.max(0, 1 - share(entries, head) / entries.length(head)),
    most: counts.flat().reduce((most, count) => Math.max(most, count)),
    protect,
  };
}

/**
 * Keeps as many pages as a number of bytes holds.
 * @param uneven whether heads may keep different numbers: then half-empty pages are allowed for
 * @throws ArgumentError when not every head could keep a page
 */
function bytesTarget(
  bytes: number,
  cache: {
    readonly heads: number;
    readonly pageBytes: number;
    readonly pageEntries: number;
    readonly tableBytes: number;
  },
  uneven: boolean,
  protect: Required<Protect>,
): Target {
  const pages = typeof bytes === "number" ? Math.floor((bytes - cache.tableBytes) / cache.pageBytes / cache.heads) : 0;
  if (!(pages >= 1)) {
    const least = cache.tableBytes + cache.heads * cache.pageBytes;
    throw new ArgumentError(
      `bytes should be at least ${least}, a page for each of ${cache.heads} heads, and is ${show(bytes)}`,
    );
  }
  return countTarget(uneven ? (pages - 1) * cache.pageEntries + 1 : pages * cache.pageEntries, protect);
}

/** The target of a press that has a budget of its own: asking it is the mistake. */
export function noTarget(name: string): Target {
  const missing = (): never => {
    throw new ArgumentError(`The ${name} press needs a budget: { budget }, { ratio } or { bytes }`);
  };
  return { share: missing, ratio: missing, protect: unprotected };
}

/** The names of a budget's options. */
export const BUDGET_OPTIONS = ["budget", "ratio", "bytes", "protect"] as const;

/** What a budget depends on of a press. */
interface BudgetTaker {
  readonly name: string;
  readonly kind: string;
  readonly ownBudget?: boolean | undefined;
}

/** The cache that a budget is for. */
export interface Room {
  readonly layers: number;
  readonly kvHeads: number;
  readonly pageBytes: number;
  readonly pageEntries: number;
  /** Bytes beside the pages. */
  readonly tableBytes: number;
}

/**
 * What a budget means for a press and a cache: the one place where budgets are checked.
 * @param standard entries that every head keeps where nothing is said; undefined: something must be
 * @throws ArgumentError for a budget that cannot be, none or more than one, and any for a press that has its own
 */
export function targetOf(budget: Budget, press: BudgetTaker, room: Room, standard?: number): Target {
  const given = BUDGET_OPTIONS.filter((name) => budget[name] !== undefined);
  if (press.ownBudget) {
    if (given.length === 0) return noTarget(press.name);
    throw new ArgumentError(`The ${press.name} press says itself how much it keeps: leave out ${given.join(" and ")}`);
  }
  const measures = given.filter((name) => name !== "protect");
  if (measures.length > 1) throw new ArgumentError(`Give one of ${measures.join(" and ")}, not both`);
  const entries = measures.length === 0 ? standard : budget.budget;
  if (measures.length === 0 && entries === undefined) {
    // A method of another kind may do without, and is heard of when it does not.
    if (press.kind !== "score" && !budget.protect) return noTarget(press.name);
    throw new ArgumentError(`The ${press.name} press needs a budget: { budget }, { ratio } or { bytes }`);
  }
  const protect = checkProtect(budget.protect ?? {});
  if (budget.ratio !== undefined) return ratioTarget(budget.ratio, protect);
  if (budget.bytes !== undefined) {
    return bytesTarget(budget.bytes, { heads: room.layers * room.kvHeads, ...room }, press.kind !== "score", protect);
  }
  checkCounts(entries, room);
  return countTarget(entries!, protect);
}

/** @throws ArgumentError for lists of budgets of another model */
function checkCounts(budget: unknown, { layers, kvHeads }: Room): void {
  if (typeof budget === "number") return;
  const fits =
    Array.isArray(budget) &&
    budget.length === layers &&
    budget.every((list) => Array.isArray(list) && list.length === kvHeads);
  if (!fits) throw new ArgumentError(`budget should be a number, or ${layers} lists of ${kvHeads} numbers`);
}

/** @throws ArgumentError for numbers that are not whole */
function checkProtect(protect: Protect): Required<Protect> {
  checkOptions(protect, ["first", "last"], "protect");
  const { first = 0, last = 0 } = protect;
  for (const [name, count] of Object.entries({ first, last })) {
    if (!Number.isInteger(count) || count < 0) {
      throw new ArgumentError(`protect.${name} should be a whole number of entries and is ${show(count)}`);
    }
  }
  return { first, last };
}
