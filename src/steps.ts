/** Work that can be paused: a generator that gives way between steps of some milliseconds, and ends with a result. */

/** What runs a step each time it is asked for the next. */
export type Steps<T> = Generator<void, T, void>;

/** Work that is one step, where steps are asked for. */
// biome-ignore lint/correctness/useYield: it has nothing to give way for
export function* once<T>(work: () => T): Steps<T> {
  return work();
}

/** Runs all steps at once. */
export function finish<T>(steps: Steps<T>): T {
  for (;;) {
    const { value, done } = steps.next();
    if (done) return value;
  }
}
