/** The record that the threads of a team share; assembly/team.ts has it field by field. */

/** Words of 4 bytes. */
export const TeamWord = {
  generation: 1,
  job: 2,
  mainSleeps: 3,
  tape: 4,
  threads: 5,
  scratch: 6,
  scratchBytes: 7,
} as const;

/** Bytes of the record. */
export const TEAM_RECORD_BYTES = 32;

/** The generation of a team that has lost a thread. */
const LOST = -(2 ** 31);

/** Tells all threads that wait at a barrier, or come to one, that a thread is lost. @param words the record */
export function abandon(words: Int32Array): void {
  Atomics.store(words, TeamWord.generation, LOST);
  Atomics.notify(words, TeamWord.generation);
}
