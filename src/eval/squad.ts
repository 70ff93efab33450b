/** How SQuAD compares an answer with those expected (Rajpurkar et al. 2016, evaluate-v1.1.py). */

/** Python's string.punctuation. */
const PUNCTUATION = /[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]/g;

/** Lower case, without punctuation, articles and repeated spaces. */
export function normalised(text: string): string {
  return text
    .toLowerCase()
    .replace(PUNCTUATION, "")
    .replace(/\b(a|an|the)\b/g, " ")
    .split(/\s+/)
    .filter((word) => word !== "")
    .join(" ");
}

/** What an answer came to against the expected ones: the best of them for each figure. */
export interface SquadScore {
  /** 1 where the answer's words are just the expected ones. */
  readonly exact: number;
  /** The harmonic mean of precision and recall of the answer's words, 0 to 1. */
  readonly f1: number;
  /** 1 where the expected words stand in the answer, one after another and whole. */
  readonly contains: number;
}

/** @param expected at least one answer */
export function scoreSquad(answer: string, expected: readonly string[]): SquadScore {
  const given = normalised(answer);
  const wanted = expected.map(normalised);
  const best = (score: (text: string) => number) => Math.max(...wanted.map(score));
  return {
    exact: best((text) => Number(text === given)),
    f1: best((text) => overlap(given.split(" "), text.split(" "))),
    contains: best((text) => Number(` ${given} `.includes(` ${text} `))),
  };
}

function overlap(given: readonly string[], wanted: readonly string[]): number {
  const left = [...wanted];
  let common = 0;
  for (const word of given) {
    const at = left.indexOf(word);
    if (at < 0) continue;
    left.splice(at, 1);
    common++;
  }
  return (2 * common) / (given.length + wanted.length);
}
