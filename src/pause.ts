/** Lets timers, events and signals be heard in the middle of long work. */

/** Milliseconds of work after which events are heard. */
const INTERVAL = 16;

/** Resolves after the events that wait now have been handled. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}

/** Takes what comes in short steps, and lets events be handled in between. @throws what the signal gives when it is aborted */
export async function gathered<T>(steps: Iterable<T>, signal?: AbortSignal | undefined): Promise<T[]> {
  const all: T[] = [];
  const breathe = pauses();
  for (const step of steps) {
    signal?.throwIfAborted();
    all.push(step);
    await breathe();
  }
  signal?.throwIfAborted();
  return all;
}

/** To be awaited again and again amid long work: every 16 ms or so it lets the events that wait be handled. */
export function pauses(): () => Promise<void> | undefined {
  let paused = performance.now();
  return () => {
    if (performance.now() - paused < INTERVAL) return undefined;
    return pause().then(() => {
      paused = performance.now();
    });
  };
}
