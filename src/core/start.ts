/** A core started with the threads that share it; with `auto`, one thread where several cannot be had, and why. */
import { UnsupportedError } from "../errors.ts";
import { Core } from "./core.ts";
import { bestFlavour, type Flavour } from "./module.ts";
import { type StartWorker, Team } from "./team.ts";

/** Worker threads of a runtime. */
export interface Threads {
  /** How many run at once. */
  available(): number;
  readonly start: StartWorker;
  /** Why this program may not have more than one, if so. */
  hindrance?(): string | undefined;
}

/** How a core is come by. */
export interface CoreSource {
  loadCore(flavour: Flavour): Promise<WebAssembly.Module>;
  /** Missing where there are none. */
  readonly threads?: Threads | undefined;
}

/** How many threads are wanted. */
export interface ThreadPlan {
  readonly threads: number;
  /** One will do where so many cannot be started. */
  readonly orOne: boolean;
  /** Why it is one where more would have been taken. */
  readonly reason?: string | undefined;
}

/** More threads than that wait for each other longer than they compute. */
const MOST_THREADS = 8;

/**
 * @param wanted a number of threads, or `auto` for as many as there are processors, at most 8
 * @param given whether the caller brings a core, which is one for a single thread
 * @throws UnsupportedError where more than one is asked for and cannot be, saying what would have to be done
 */
export function planThreads(wanted: number | "auto", given: boolean, threads: Threads | undefined): ThreadPlan {
  const hindrance = threads ? threads.hindrance?.() : "this runtime has no threads";
  if (wanted !== "auto") {
    if (wanted > 1 && hindrance) throw new UnsupportedError(`${wanted} threads cannot be had: ${hindrance}`);
    return { threads: wanted, orOne: false };
  }
  const reason = given ? "the core that was given is one for a single thread" : hindrance;
  if (reason !== undefined || !threads) return { threads: 1, orOne: false, reason };
  const count = Math.min(MOST_THREADS, threads.available());
  return count > 1 ? { threads: count, orOne: true } : { threads: 1, orOne: false, reason: "there is one processor" };
}

/**
 * @param module the build for the plan's number of threads
 * @param scratchBytesOf for each thread
 * @throws UnsupportedError when a worker cannot be started and one thread will not do; MemoryError
 */
export async function startCore(
  source: CoreSource,
  module: WebAssembly.Module,
  { threads, orOne, reason }: ThreadPlan,
  scratchBytesOf: (core: Core) => number,
): Promise<{ core: Core; team: Team }> {
  const core = new Core(module, threads > 1);
  try {
    const team = await Team.start(core, module, threads, scratchBytesOf(core), source.threads?.start, reason);
    return { core, team };
  } catch (error) {
    if (!orOne || !(error instanceof UnsupportedError)) throw error;
    const why = error.cause instanceof Error ? error.cause.message : String(error.cause);
    const plan = { threads: 1, orOne: false, reason: `${error.message}: ${why}` };
    return startCore(source, await source.loadCore(bestFlavour(false)), plan, scratchBytesOf);
  }
}
