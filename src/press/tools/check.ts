/** Checks of the parameters that presses are made with. */
import { ArgumentError } from "../../errors.ts";
import { show } from "../../show.ts";
import type { LayerEntries, PassPress, Press, QuestionPress } from "../press.ts";
import { eachHead } from "./each-head.ts";

/** @throws ArgumentError naming the first value that is not a whole number of at least `least` */
export function checkWhole(values: Readonly<Record<string, number>>, least: number): void {
  for (const [name, value] of Object.entries(values)) {
    if (!Number.isInteger(value) || value < least) {
      throw new ArgumentError(`${name} should be a whole number of at least ${least} and is ${show(value)}`);
    }
  }
}

/** @throws ArgumentError naming the first value that is not within `low` ... `high` */
export function checkWithin(values: Readonly<Record<string, number>>, low: number, high: number): void {
  for (const [name, value] of Object.entries(values)) {
    if (typeof value !== "number" || !(value >= low && value <= high)) {
      throw new ArgumentError(`${name} should be from ${low} to ${high} and is ${show(value)}`);
    }
  }
}

/** Entries of every head of a layer. @throws ArgumentError where heads hold different numbers */
export function evenLength(entries: LayerEntries, press: string): number {
  const length = entries.length(0);
  for (let head = 1; head < entries.kvHeads; head++) {
    if (entries.length(head) !== length) {
      throw new ArgumentError(
        `The ${press} press needs heads of one length; in layer ${entries.layer} they hold ${length} and ${entries.length(head)}`,
      );
    }
  }
  return length;
}

/**
 * Whether every head holds more than `count` entries, named `name`; a chunk of a text may hold less.
 * @throws ArgumentError when a whole pass holds no more
 */
export function isLongerThan(entries: LayerEntries, name: string, count: number): boolean {
  const length = shortest(entries);
  if (length <= count && !entries.chunked) {
    throw new ArgumentError(`A cache of ${length} entries is not longer than ${name} ${count}`);
  }
  return length > count;
}

/**
 * Rows of an observation window: `windowSize`, or in a short chunk what there is, with an entry before them; 0 where there
 * is nothing to choose from.
 * @throws ArgumentError when a whole pass, or the cache behind it, is too short
 */
export function windowRows(entries: LayerEntries, windowSize: number): number {
  const { queryRows, chunked } = entries;
  const length = shortest(entries);
  if ((queryRows < windowSize || length <= windowSize) && !chunked) {
    throw new ArgumentError(
      `A window of ${windowSize} rows needs a pass of as many and a longer cache; there are ${queryRows} rows and ${length} entries`,
    );
  }
  return Math.min(windowSize, queryRows, length - 1);
}

/** Entries of the head that holds least. */
function shortest(entries: LayerEntries): number {
  return Math.min(...eachHead(entries, (head) => entries.length(head)));
}

/** @throws ArgumentError unless the queries of every entry were kept: the press works on a whole pass */
export function checkWholePass(entries: LayerEntries, press: string): void {
  for (let head = 0; head < entries.kvHeads; head++) {
    if (entries.queryRows !== entries.length(head)) {
      throw new ArgumentError(
        `The ${press} press needs a cache that holds one pass: there are ${entries.length(head)} entries and queries of ${entries.queryRows}`,
      );
    }
  }
}

/** A press as a reading takes it. @throws ArgumentError for one that works while decoding alone */
export function readingPress(press: Press): PassPress | QuestionPress {
  if (press.kind === "steps") {
    throw new ArgumentError(`The ${press.name} press compresses while decoding, not while reading`);
  }
  return press;
}
