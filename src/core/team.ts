/** The threads of one core: workers that each run their share of every tape beside the thread that calls. */
import { DisposedError, UnsupportedError } from "../errors.ts";
import { abandon } from "./abandon.ts";
import type { Core } from "./core.ts";
import { TeamRecord } from "./layouts.ts";
import { Scratch } from "./region.ts";
import { bytesOf } from "./words.ts";

/** What a worker needs before it can serve. */
export interface WorkerTask {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  /** Address of the team's record. */
  readonly team: number;
  readonly thread: number;
}

/** A worker that is ready to serve. */
export interface TeamWorker {
  terminate(): void;
  /** Whether it has not ended, answered at once; missing where the runtime does not say. */
  readonly isAlive?: (() => boolean) | undefined;
}

/** Starts a worker of this runtime's kind; `onDeath` hears if it ends by itself. */
export type StartWorker = (task: WorkerTask, onDeath: (cause: unknown) => void) => Promise<TeamWorker>;

/** How long a step may take in a thread of which nothing is known before it is given up for dead. */
const PATIENCE_MILLISECONDS = 30_000;
/** What one wait adds to that at most: a machine that sleeps is not a thread that is dead. */
const LONGEST_WAIT_MILLISECONDS = 1000;

/** Runs tapes with one thread or several. An idle worker spins for about a millisecond and then sleeps. */
export class Team {
  readonly #core: Core;
  readonly #memory: Scratch<"record" | "scratch">;
  readonly #pointer: number;
  readonly #scratch: number;
  readonly #threads: number;
  /** Why it has one thread where more were wanted. */
  readonly reason: string | undefined;
  readonly #workers: TeamWorker[] = [];
  #lost: { cause: unknown } | undefined;
  #disposed = false;
  /** Time spent in the waiting that goes on, and when it was last added to. */
  #waited = { milliseconds: 0, until: 0 };

  private constructor(core: Core, threads: number, scratchBytes: number, reason: string | undefined) {
    this.#core = core;
    this.#threads = threads;
    this.reason = reason;
    this.#memory = new Scratch(core);
    const { record, scratch } = this.#memory.cut({ record: bytesOf(TeamRecord), scratch: threads * scratchBytes });
    this.#pointer = record;
    this.#scratch = scratch;
    const words = this.#words().fill(0);
    words[TeamRecord.threads] = threads;
    words[TeamRecord.scratch] = this.#scratch;
    words[TeamRecord.scratchBytes] = scratchBytes;
    if (threads > 1) {
      words[TeamRecord.mainSleeps] = Number(maySleep(words));
      core.workersLive = (waits) => this.#workersLive(waits);
    }
  }

  /**
   * A team of so many threads, the calling one included.
   * @param module what `core` was made of; with more than one thread a build for shared memory
   * @param scratchBytes for each thread
   * @param reason why there are no more threads
   * @throws UnsupportedError when a worker cannot be started; none is left running then
   */
  static async start(
    core: Core,
    module: WebAssembly.Module,
    threads: number,
    scratchBytes: number,
    startWorker?: StartWorker,
    reason?: string,
  ): Promise<Team> {
    const team = new Team(core, threads, scratchBytes, reason);
    if (threads > 1) {
      const tasks = Array.from({ length: threads - 1 }, (_, index) => index + 1).map(async (thread) => {
        const task = { module, memory: core.memory, team: team.#pointer, thread };
        team.#workers.push(await startWorker!(task, (cause) => team.#lose(cause)));
      });
      const failure = (await Promise.allSettled(tasks)).find((result) => result.status === "rejected");
      if (failure) {
        team.dispose();
        throw new UnsupportedError("A worker thread could not be started", { cause: failure.reason });
      }
    }
    return team;
  }

  /** Threads, the calling one included. */
  get threads(): number {
    return this.#threads;
  }

  /** @throws UnsupportedError when a thread has died or trapped: the model is then of no more use; DisposedError */
  check(): void {
    if (this.#disposed) throw new DisposedError("This model has been disposed");
    if (this.#lost) {
      throw new UnsupportedError("A thread has died: load the model anew", { cause: this.#lost.cause });
    }
  }

  /** Runs a tape to its end. @throws as `check` */
  run(tape: number): void {
    this.check();
    const { kernels } = this.#core;
    const words = this.#words();
    if (this.#threads > 1) {
      words[TeamRecord.tape] = tape;
      Atomics.add(words, TeamRecord.job, 1);
      Atomics.notify(words, TeamRecord.job);
    }
    try {
      if (!kernels.run(tape, 0, this.#threads, this.#scratch, this.#pointer)) this.#lose(undefined);
    } catch (cause) {
      // A trap: the others wait at a barrier for this thread.
      abandon(words);
      this.#lose(cause);
    }
    this.check();
  }

  /** Ends the workers and frees the record. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    if (this.#threads > 1) {
      const words = this.#words();
      Atomics.store(words, TeamRecord.job, -1);
      Atomics.notify(words, TeamRecord.job);
    }
    for (const worker of this.#workers) worker.terminate();
    this.#memory.free();
  }

  #words(): Int32Array {
    return this.#core.i32(this.#pointer, TeamRecord.words);
  }

  #lose(cause: unknown): void {
    if (!this.#disposed) this.#lost ??= { cause };
  }

  #workersLive(waits: number): boolean {
    const now = performance.now();
    const { milliseconds, until } = this.#waited;
    const added = waits === 1 ? 0 : milliseconds + Math.min(now - until, LONGEST_WAIT_MILLISECONDS);
    this.#waited = { milliseconds: added, until: now };
    const states = this.#workers.map((worker) => worker.isAlive?.());
    return !states.includes(false) && (!states.includes(undefined) || added < PATIENCE_MILLISECONDS);
  }
}

/** Whether this thread may sleep on a word of shared memory: the main thread of a browser may not. */
function maySleep(words: Int32Array): boolean {
  try {
    Atomics.wait(words, 0, -1, 0);
    return true;
  } catch {
    return false;
  }
}
