/** What a worker does: puts the core on the shared memory and runs its share of every tape. */
import { instantiate } from "./module.ts";
import type { WorkerTask } from "./team.ts";
import { LOST, TEAM_RECORD_BYTES, TeamWord } from "./team-record.ts";

/** Returns when the team is dissolved. @param ready called when the next tape will be heard */
export function serve({ module, memory, team, thread }: WorkerTask, ready: () => void): void {
  const kernels = instantiate(module, memory);
  ready();
  try {
    kernels.serve(team, thread);
  } catch (error) {
    // The others wait at a barrier and would learn of it only when their patience ends.
    const words = new Int32Array(memory.buffer, team, TEAM_RECORD_BYTES / 4);
    Atomics.store(words, TeamWord.generation, LOST);
    Atomics.notify(words, TeamWord.generation);
    throw error;
  }
}
