/** How several threads run one tape: the record they share, the barrier between steps, and waiting for the next tape. */
import { LOST_GENERATION, TeamRecord } from "../src/core/layouts";
import { word, wordAt } from "./words";

/** Before sleeping at a barrier: about 100 µs, because waking a sleeper costs 60 µs and steps of a layer are shorter. */
const BARRIER_SPINS: i32 = 100_000;
/** Before sleeping between tapes: about 1 ms, in which a decoding loop comes back with its next token. */
const JOB_SPINS: i32 = 1_000_000;
/** How long thread 0 waits before it asks whether the others live: 50 ms, and about as long in spins. */
const WAIT_NANOSECONDS: i64 = 50_000_000;
const WAIT_SPINS: i32 = 20_000_000;

/** Whether all workers live, as far as thread 0's runtime can say; `waits` counts from 1 at each barrier. */
// @ts-ignore: decorator
@external("env", "workersLive")
declare function workersLive(waits: i32): bool;

/** Waits until all threads have come. @returns whether they have; if not, one of them is lost, and the others are told */
export function barrier(team: usize, thread: i32, threads: i32): bool {
  if (!ASC_FEATURE_THREADS || threads == 1) return true;
  const arrived = wordAt(team, TeamRecord.arrived);
  const counter = wordAt(team, TeamRecord.generation);
  const generation = atomic.load<i32>(counter);
  if (generation < 0) return false;
  if (atomic.add<i32>(arrived, 1) == threads - 1) {
    atomic.store<i32>(arrived, 0);
    const next = (generation + 1) & i32.MAX_VALUE;
    if (atomic.cmpxchg<i32>(counter, generation, next) != generation) return false;
    atomic.notify(counter);
    return true;
  }
  const mainSleeps = word(team, TeamRecord.mainSleeps);
  let passed = spin(counter, generation, BARRIER_SPINS);
  for (let waits = 1; !passed; waits++) {
    // However long a step takes, only a thread that is known to be dead ends the waiting.
    if (thread > 0) atomic.wait<i32>(counter, generation, -1);
    else if (mainSleeps) atomic.wait<i32>(counter, generation, WAIT_NANOSECONDS);
    passed = spin(counter, generation, mainSleeps ? 1 : WAIT_SPINS);
    if (!passed && thread == 0 && !workersLive(waits)) {
      atomic.cmpxchg<i32>(counter, generation, LOST_GENERATION);
      atomic.notify(counter);
    }
  }
  return atomic.load<i32>(counter) >= 0;
}

/** Whether a word leaves a value while it is looked at so often. */
function spin(counter: usize, value: i32, times: i32): bool {
  for (; times > 0; times--) if (atomic.load<i32>(counter) != value) return true;
  return false;
}

/** Waits for the tape after tape `job`. @returns false when the team is dissolved */
export function nextJob(team: usize, job: i32): bool {
  if (!ASC_FEATURE_THREADS) return false;
  const counter = wordAt(team, TeamRecord.job);
  if (!spin(counter, job, JOB_SPINS)) {
    while (atomic.load<i32>(counter) == job) atomic.wait<i32>(counter, job, -1);
  }
  return atomic.load<i32>(counter) > 0;
}
