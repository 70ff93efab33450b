/** What a worker does: puts the core on the shared memory and runs its share of every tape. */

import { abandon } from "./abandon.ts";
import { TeamRecord } from "./layouts.ts";
import { instantiate } from "./module.ts";
import type { WorkerTask } from "./team.ts";

/** Returns when the team is dissolved. @param ready called when the next tape will be heard */
export function serve({ module, memory, team, thread }: WorkerTask, ready: () => void): void {
  const kernels = instantiate(module, memory);
  ready();
  try {
    kernels.serve(team, thread);
  } catch (error) {
    // The others wait at a barrier, and this worker is still alive.
    abandon(new Int32Array(memory.buffer, team, TeamRecord.words));
    throw error;
  }
}
