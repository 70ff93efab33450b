/** Checks the names in an object of options, so that a slip is not taken for a wish that was granted. */
import { ArgumentError } from "./errors.ts";
import { show } from "./show.ts";

/**
 * @param given what a caller passed as options
 * @param known the names that may stand in it
 * @param where the function that takes them, for the message
 * @throws ArgumentError for anything but an object, and for a name that is not known
 */
export function checkOptions(given: unknown, known: readonly string[], where: string): void {
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    throw new ArgumentError(`The options of ${where} should be an object and are ${show(given)}`);
  }
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const meant = nearest(name, known);
    const hint = meant ? `did you mean ${meant}?` : `it has ${known.join(", ") || "none"}`;
    throw new ArgumentError(`${where} has no option ${show(name)}; ${hint}`);
  }
}

/** The known name that takes fewest changes, if these are few for its length. */
function nearest(name: string, known: readonly string[]): string | undefined {
  if (name.length > 60) return undefined;
  const ranked = known
    .map((candidate) => ({ candidate, changes: distance(name.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, changes }) => changes <= Math.max(1, candidate.length / 3))
    .sort((a, b) => a.changes - b.changes);
  return ranked[0]?.candidate;
}

/** Letters to be put in, taken out or changed on the way from one word to the other (Levenshtein 1966). */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (const [index, letter] of [...from].entries()) {
    const next = [index + 1];
    for (let column = 1; column <= to.length; column++) {
      const changed = row[column - 1]! + Number(letter !== to[column - 1]);
      next.push(Math.min(changed, row[column]! + 1, next[column - 1]! + 1));
    }
    row = next;
  }
  return row[to.length]!;
}
