/** Checks of what a press finds in a layer: heads of one length, enough entries, a whole pass. */
import { ArgumentError } from "../../errors.ts";
import type { LayerEntries } from "../press.ts";
import { eachHead } from "./each-head.ts";

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
