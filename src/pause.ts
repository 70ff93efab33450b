/** Lets timers, events and signals be heard in the middle of long work. */

/** Resolves after the events that wait now have been handled. */
export function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve));
}
