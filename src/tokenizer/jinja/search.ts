/** Where a pattern occurs in a text, in time in proportion to both, whatever they are. */
import type { Budget } from "./budget.ts";

/** No runtime's own search is slow for patterns as short as this; some are for longer ones. */
const SHORT = 32;

/**
 * The places where a pattern begins, without overlaps, in UTF-16 units; for an empty pattern 0.
 * @param options.most so many at most
 * @param options.backwards from the text's end on, the places then descend
 */
export function occurrences(
  text: string,
  pattern: string,
  budget: Budget,
  { most = Number.POSITIVE_INFINITY, backwards = false }: { most?: number; backwards?: boolean } = {},
): number[] {
  budget.characters(text.length + pattern.length);
  const places: number[] = [];
  const found = (place: number) => {
    budget.slots(1);
    places.push(place);
  };
  if (most <= 0) return places;
  if (pattern.length === 0) return [backwards ? text.length : 0];
  if (pattern.length > SHORT) {
    budget.step(pattern.length);
    for (const place of longOccurrences(text, pattern, backwards)) {
      found(place);
      if (places.length >= most) break;
    }
  } else if (backwards) {
    for (let place = text.lastIndexOf(pattern); place >= 0 && places.length < most; ) {
      found(place);
      place = place < pattern.length ? -1 : text.lastIndexOf(pattern, place - pattern.length);
    }
  } else {
    for (let place = text.indexOf(pattern); place >= 0 && places.length < most; ) {
      found(place);
      place = text.indexOf(pattern, place + pattern.length);
    }
  }
  return places;
}

/** After Knuth, Morris and Pratt. */
function* longOccurrences(text: string, pattern: string, backwards: boolean): IterableIterator<number> {
  const at = (string: string, index: number) => string.charCodeAt(backwards ? string.length - 1 - index : index);
  // How much of the pattern's beginning ends at each of its characters.
  const borders = new Int32Array(pattern.length);
  for (let index = 1, border = 0; index < pattern.length; index++) {
    while (border > 0 && at(pattern, index) !== at(pattern, border)) border = borders[border - 1]!;
    if (at(pattern, index) === at(pattern, border)) border++;
    borders[index] = border;
  }
  for (let index = 0, matched = 0; index < text.length; index++) {
    while (matched > 0 && at(text, index) !== at(pattern, matched)) matched = borders[matched - 1]!;
    if (at(text, index) === at(pattern, matched)) matched++;
    if (matched < pattern.length) continue;
    yield backwards ? text.length - 1 - index : index - matched + 1;
    matched = 0;
  }
}
