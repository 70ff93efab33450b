/** Notices text that has begun to repeat itself and would do so for ever, as the likeliest tokens of small models do. */

/** Times that the same words stand one after another, and characters that these are together, before it counts as a loop. */
const TIMES = 4;
const LEAST = 40;
/** Characters of a text's end that are looked at: loops of up to a quarter of it are found. */
const LOOKED = 1600;

/**
 * Where a text that ends in a loop should be cut: behind the first time of what is repeated.
 * @returns undefined where the text does not end so
 */
export function loopStart(text: string): number | undefined {
  const end = text.slice(-LOOKED);
  for (let period = 1; period * TIMES <= end.length; period++) {
    const length = Math.max(TIMES * period, LEAST);
    if (length > end.length) continue;
    const tail = end.slice(-length);
    if (tail.slice(period) !== tail.slice(0, -period)) continue;
    // The loop may have begun before what was needed to notice it.
    let start = text.length - length;
    while (start > 0 && text[start - 1] === text[start - 1 + period]) start--;
    return start + period;
  }
  return undefined;
}
