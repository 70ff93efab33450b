/** The end of a team that has lost a thread. */
import { LOST_GENERATION, TeamRecord } from "./layouts.ts";

/** Tells all threads that wait at a barrier, or come to one, that a thread is lost. @param words the record */
export function abandon(words: Int32Array): void {
  Atomics.store(words, TeamRecord.generation, LOST_GENERATION);
  Atomics.notify(words, TeamRecord.generation);
}
