/** How several threads run one tape: the record they share, the barrier between steps, and waiting for the next tape. */

/** src/core/team.ts writes it, word by word. */
@unmanaged
export class Team {
  /** Threads that have come to the barrier. */
  arrived: i32;
  /** Counts barriers; below zero once a thread is lost. */
  generation: i32;
  /** Counts tapes; below zero when the team is dissolved. */
  job: i32;
  /** Whether thread 0 may sleep: the main thread of a browser may not. */
  mainSleeps: i32;
  tape: usize;
  threads: i32;
  /** [threads][scratchBytes] */
  scratch: usize;
  scratchBytes: usize;
}

/** Before sleeping at a barrier: about 100 µs, because waking a sleeper costs 60 µs and steps of a layer are shorter. */
const BARRIER_SPINS: i32 = 100_000;
/** Before sleeping between tapes: about 1 ms, in which a decoding loop comes back with its next token. */
const JOB_SPINS: i32 = 1_000_000;
/** How long thread 0 waits before it asks whether the others live: 50 ms, and about as long in spins. */
const WAIT_NANOSECONDS: i64 = 50_000_000;
const WAIT_SPINS: i32 = 20_000_000;

const LOST: i32 = i32.MIN_VALUE;

/** Whether all workers live, as far as thread 0's runtime can say; `waits` counts from 1 at each barrier. */
// @ts-ignore: decorator
@external("env", "workersLive")
declare function workersLive(waits: i32): bool;

/** Waits until all threads have come. @returns whether they have; if not, one of them is lost, and the others are told */
export function barrier(team: Team, thread: i32, threads: i32): bool {
  if (!ASC_FEATURE_THREADS || threads == 1) return true;
  const at = changetype<usize>(team);
  const generation = atomic.load<i32>(at, offsetof<Team>("generation"));
  if (generation < 0) return false;
  if (atomic.add<i32>(at, 1) == threads - 1) {
    atomic.store<i32>(at, 0);
    const next = (generation + 1) & i32.MAX_VALUE;
    if (atomic.cmpxchg<i32>(at, generation, next, offsetof<Team>("generation")) != generation) return false;
    atomic.notify(at + offsetof<Team>("generation"));
    return true;
  }
  let passed = spin(at, generation, BARRIER_SPINS);
  for (let waits = 1; !passed; waits++) {
    // However long a step takes, only a thread that is known to be dead ends the waiting.
    if (thread > 0) atomic.wait<i32>(at + offsetof<Team>("generation"), generation, -1);
    else if (team.mainSleeps) atomic.wait<i32>(at + offsetof<Team>("generation"), generation, WAIT_NANOSECONDS);
    passed = spin(at, generation, team.mainSleeps ? 1 : WAIT_SPINS);
    if (!passed && thread == 0 && !workersLive(waits)) {
      atomic.cmpxchg<i32>(at, generation, LOST, offsetof<Team>("generation"));
      atomic.notify(at + offsetof<Team>("generation"));
    }
  }
  return atomic.load<i32>(at, offsetof<Team>("generation")) >= 0;
}

/** Whether the generation changes while it is looked at so often. */
function spin(at: usize, generation: i32, times: i32): bool {
  for (; times > 0; times--) if (atomic.load<i32>(at, offsetof<Team>("generation")) != generation) return true;
  return false;
}

/** Waits for the tape after tape `job`. @returns false when the team is dissolved */
export function nextJob(team: Team, job: i32): bool {
  if (!ASC_FEATURE_THREADS) return false;
  const at = changetype<usize>(team);
  for (let spin = 0; spin < JOB_SPINS; spin++) {
    if (atomic.load<i32>(at, offsetof<Team>("job")) != job) return atomic.load<i32>(at, offsetof<Team>("job")) > 0;
  }
  while (atomic.load<i32>(at, offsetof<Team>("job")) == job) atomic.wait<i32>(at + offsetof<Team>("job"), job, -1);
  return atomic.load<i32>(at, offsetof<Team>("job")) > 0;
}
