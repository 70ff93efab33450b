/** How far a figure measured on few documents may lie from the truth. */

/** The quantile of the normal distribution that 95% of it lies within. */
const Z = 1.959964;

/**
 * Wilson's score interval for a part of so many trials, at 95% (Wilson 1927). For scores between 0 and 1, such as a part
 * of several answers, it is wider than need be: of all distributions with this mean, yes or no spreads most.
 * @param part the mean, 0 to 1
 * @param trials at least 1
 * @returns the interval's ends, 0 to 1
 */
export function wilson(part: number, trials: number): [low: number, high: number] {
  const spread = (Z * Z) / trials;
  const middle = (part + spread / 2) / (1 + spread);
  const half = (Z / (1 + spread)) * Math.sqrt((part * (1 - part) + spread / 4) / trials);
  return [Math.max(0, middle - half), Math.min(1, middle + half)];
}
