/** The barrier between two operations of a tape when several threads run it; nothing in builds without shared memory. */

/** Spins before sleeping: about 100 µs, because waking a sleeper costs 60 µs and steps of a layer are shorter. */
const SPINS: i32 = 100_000;

/**
 * Returns when all threads have come. `state`: two i32, the threads that have come and the barrier's generation; if the
 * generation is ever set below zero the run is abandoned.
 */
export function barrier(state: usize, threads: i32): void {
  if (ASC_FEATURE_THREADS) {
    if (threads == 1) return;
    const generation = atomic.load<i32>(state, 4);
    if (atomic.add<i32>(state, 1) == threads - 1) {
      atomic.store<i32>(state, 0);
      atomic.add<i32>(state, 1, 4);
      atomic.notify(state + 4);
      return;
    }
    for (let spin = 0; spin < SPINS; spin++) {
      if (atomic.load<i32>(state, 4) != generation) return;
    }
    while (atomic.load<i32>(state, 4) == generation) atomic.wait<i32>(state + 4, generation, 1_000_000_000);
  }
}
