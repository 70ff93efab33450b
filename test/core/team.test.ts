/** Threads: the same bits for any number of them, deaths that give errors, workers that end and that idle without effort. */
import { readFileSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { setTimeout as sleep } from "node:timers/promises";
import workerThreads from "node:worker_threads";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Core } from "../../src/core/core.ts";
import { bestFlavour } from "../../src/core/module.ts";
import { Tape } from "../../src/core/tape.ts";
import { type StartWorker, Team } from "../../src/core/team.ts";
import { ArgumentError, DisposedError, UnsupportedError } from "../../src/errors.ts";
import { knorm, loadModel, type Model } from "../../src/runtimes/node.ts";
import { startWorker } from "../../src/runtimes/start-worker-node.ts";
import { assertSame } from "../support/assertions.ts";
import { integers } from "../support/random.ts";

const test = suite("threads");
const files = { "baseline-shared": "dist/core.shared.wasm", "relaxed-shared": "dist/core.relaxed.shared.wasm" };
const module = new WebAssembly.Module(readFileSync(files[bestFlavour(true) as keyof typeof files]));

/** A team on a core of its own. */
async function makeTeam(threads: number, start: StartWorker = startWorker) {
  const core = new Core(module, true);
  const team = await Team.start(core, module, threads, core.kernels.scratchBytes(64), start);
  return { core, team };
}

/** A tape that copies `count` f32. */
function copying(core: Core, source: number, target: number, count: number): number {
  const tape = new Tape();
  tape.copy(source, target, count);
  return tape.write(core);
}

/** A tape of some milliseconds and many barriers. */
function longTape(core: Core): number {
  const count = 100_000;
  const [source, target] = [core.allocate(count * 4), core.allocate(count * 4)];
  const tape = new Tape();
  for (let step = 0; step < 100; step++) {
    tape.copy(source, target, count);
    tape.barrier();
  }
  return tape.write(core);
}

/** All that a model computes on the way through a document and its questions. */
async function everything(model: Model) {
  const draw = integers(5);
  const tokens = Int32Array.from({ length: 300 }, () => draw(model.config.vocabularySize));
  const session = model.createSession();
  const logits = [session.prefill(tokens), session.decode(7), session.decode(8)];
  await session.read(tokens, { questions: ["What is it?", "And where was it found?"], budget: 64, chunkLength: 100 });
  logits.push(session.decode(9));
  const heads = [session.keys(0, 0), session.values(7, 1), session.positions(3, 0)];
  session.dispose();
  return [...logits, ...heads];
}

for (const weights of ["f32", "q8", "q4"] as const) {
  test(`the same bits for 1, 2 and 3 threads, weights in ${weights}`, async () => {
    const [one, two, three] = await Promise.all(
      [1, 2, 3].map(async (threads) => {
        const model = await loadModel("models/nano", { weights, threads });
        assert.is(model.threads, threads);
        const results = await everything(model);
        model.dispose();
        return results;
      }),
    );
    assertSame(two, one, "2 threads");
    assertSame(three, one, "3 threads");
  });
}

test("tapes of one step after another, each a barrier away from the next", async () => {
  const { core, team } = await makeTeam(3);
  const count = 1000;
  const buffers = Array.from({ length: 50 }, () => core.allocate(count * 4));
  const tape = new Tape();
  for (const [index, buffer] of buffers.entries()) {
    if (index === 0) continue;
    tape.copy(buffers[index - 1]!, buffer, count);
    tape.barrier();
  }
  const pointer = tape.write(core);
  for (let round = 1; round <= 200; round++) {
    core.f32(buffers[0]!, count).fill(round);
    team.run(pointer);
    assert.ok(core.f32(buffers.at(-1)!, count).every((value) => value === round));
  }
  team.dispose();
});

test("a worker that fails in the middle of a step gives an error, again and again", async () => {
  const { core, team } = await makeTeam(2);
  // The second half, the worker's, lies beyond the memory.
  const pointer = copying(core, 0, core.byteLength - 4096, 2048);
  assert.throws(
    () => team.run(pointer),
    (error: Error) => error instanceof UnsupportedError && /thread has died/.test(error.message),
  );
  assert.throws(() => team.run(pointer), /thread has died/);
  team.dispose();
});

/** A team whose workers can be ended from here, as by a crash of one. */
async function mortalTeam(threads: number) {
  const ends: (() => void)[] = [];
  const made = await makeTeam(threads, async (task, onDeath) => {
    const worker = await startWorker(task, onDeath);
    ends.push(() => worker.terminate());
    return worker;
  });
  return { ...made, ends };
}

test("a worker that ends between two tapes gives an error", async () => {
  const { core, team, ends } = await mortalTeam(2);
  const pointer = copying(core, 0, core.allocate(4096), 1024);
  team.run(pointer);
  ends[0]!();
  await sleep(100);
  assert.throws(
    () => team.run(pointer),
    (error: Error) => error instanceof UnsupportedError && error.cause instanceof Error,
  );
  team.dispose();
});

/** Keeps this thread busy, so that no event is heard. */
function stay(milliseconds: number): void {
  for (const end = performance.now() + milliseconds; performance.now() < end; );
}

// Where workers are ended by the runtime at once; Deno lets them go on for two seconds, Bun for ever.
if (process.release.name === "node" && !("Bun" in globalThis || "Deno" in globalThis)) {
  for (const threads of [2, 4]) {
    test(`a worker that ends while this thread computes or waits gives an error soon, ${threads} threads`, async () => {
      const draw = integers(threads);
      for (let round = 0; round < 12; round++) {
        const { core, team, ends } = await mortalTeam(threads);
        const pointer = longTape(core);
        if (round % 3 > 0) team.run(pointer);
        // One or all of them, and a tape begun up to 3 ms later.
        for (const end of round % 2 ? ends : [ends[draw(ends.length)]!]) end();
        stay(draw(4));
        const started = performance.now();
        assert.throws(
          () => {
            for (let tape = 0; tape < 100; tape++) team.run(pointer);
          },
          (error: Error) => error instanceof UnsupportedError && /thread has died/.test(error.message),
        );
        assert.ok(performance.now() - started < 1000, `${performance.now() - started} ms`);
        // From now on at once, whatever the loop has heard.
        for (let again = 0; again < 3; again++) {
          const before = performance.now();
          assert.throws(() => team.run(pointer), /thread has died/);
          assert.throws(() => team.check(), /thread has died/);
          assert.ok(performance.now() - before < 50);
          await sleep(10);
        }
        const held = core.bytesInUse;
        team.dispose();
        assert.ok(core.bytesInUse < held);
      }
    });
  }

  test("a calling thread that may not sleep, as a browser's main thread, finds out too", async () => {
    const { wait } = Atomics;
    Atomics.wait = () => {
      throw new TypeError("Atomics.wait cannot be called in this context");
    };
    const { core, team, ends } = await mortalTeam(3).finally(() => {
      Atomics.wait = wait;
    });
    const pointer = longTape(core);
    for (let tape = 0; tape < 20; tape++) team.run(pointer);
    ends[1]!();
    stay(2);
    const started = performance.now();
    assert.throws(
      () => {
        for (let tape = 0; tape < 100; tape++) team.run(pointer);
      },
      (error: Error) => error instanceof UnsupportedError,
    );
    assert.ok(performance.now() - started < 2000, `${performance.now() - started} ms`);
    team.dispose();
  });

  test("a model that has lost a thread refuses everything but dispose", async () => {
    const { Worker } = workerThreads;
    const workers: InstanceType<typeof Worker>[] = [];
    workerThreads.Worker = class extends Worker {
      constructor(...parameters: ConstructorParameters<typeof Worker>) {
        super(...parameters);
        workers.push(this);
      }
    };
    syncBuiltinESMExports();
    const model = await loadModel("models/nano", { threads: 2 });
    workerThreads.Worker = Worker;
    syncBuiltinESMExports();
    assert.is(workers.length, 1);
    const [session, other] = [model.createSession(), model.createSession()];
    const capsule = session.fork();
    session.prefill([1, 2, 3]);
    const saved = capsule.save();
    const { core } = model;
    void workers[0]!.terminate();
    const broken = (error: unknown) => error instanceof UnsupportedError && /thread has died/.test(error.message);
    const tokens = Array.from({ length: 400 }, (_, i) => i);
    assert.throws(() => session.prefill(tokens), broken);
    const calls: (() => unknown)[] = [
      () => session.prefill([1]),
      () => session.decode(1),
      () => other.prefill([1]),
      () => other.negativeLogLikelihoods([1, 2]),
      () => other.compress(knorm(), { budget: 1 }),
      () => model.createSession(),
      () => model.openSession(saved),
      () => model.fingerprint,
    ];
    for (const call of calls) assert.throws(call, broken, call.toString());
    const reading = await session.read("a text", { questions: "what?" }).catch((error) => error);
    assert.ok(broken(reading));
    assert.is(session.absolutePosition, 3);
    model.dispose();
    const weights = core.bytesInUse;
    assert.throws(
      () => session.decode(1),
      (error: unknown) => error instanceof DisposedError,
    );
    model.dispose();
    assert.is(core.bytesInUse, weights);
  });
}

test("a trap in the calling thread breaks the team and leaves no worker waiting", async () => {
  for (const threads of [1, 3]) {
    const { core, team, ends } = await mortalTeam(threads);
    // The first part, this thread's, lies beyond the memory.
    const pointer = copying(core, core.byteLength - 256, 0, 30_000);
    assert.throws(
      () => team.run(pointer),
      (error: Error) => error instanceof UnsupportedError && error.cause instanceof WebAssembly.RuntimeError,
    );
    assert.throws(() => team.run(pointer), /thread has died/);
    assert.is(ends.length, threads - 1);
    team.dispose();
  }
});

test("only a worker that is known to be dead ends the waiting, or the patience for one of which nothing is known", async () => {
  const core = new Core(module, true);
  const answers: (boolean | undefined)[] = [true, true];
  const workers = answers.map((_, index) => ({
    terminate: () => {},
    get isAlive() {
      return answers[index] === undefined ? undefined : () => answers[index]!;
    },
  }));
  let next = 0;
  const team = await Team.start(core, module, 3, 4096, async () => workers[next++]!);
  const { now } = performance;
  let clock = 0;
  performance.now = () => clock;
  try {
    const live = (waits: number, milliseconds: number) => {
      clock += milliseconds;
      return core.workersLive(waits);
    };
    // Slow is not dead: an hour, while the runtime says that they live.
    for (let waits = 1; waits < 72_000; waits++) assert.ok(live(waits, 50));
    answers[1] = false;
    assert.not(live(1, 50));
    answers[1] = undefined;
    // Half a minute where it says nothing, counted anew at each barrier.
    for (let round = 0; round < 3; round++) {
      for (let waits = 1; waits < 600; waits++) assert.ok(live(waits, 50));
    }
    for (let waits = 600; waits < 602; waits++) live(waits, 50);
    assert.not(live(602, 50));
    // A machine that slept for an hour in between.
    assert.ok(live(1, 50));
    assert.ok(live(2, 3_600_000));
    for (let waits = 3; waits < 500; waits++) assert.ok(live(waits, 50));
    answers[0] = false;
    assert.not(live(500, 50));
  } finally {
    performance.now = now;
    team.dispose();
  }
});

test("workers that cannot start give an error and leave none behind", async () => {
  let running = 0;
  const start: StartWorker = async ({ thread }) => {
    if (thread === 2) throw new Error("no more");
    running++;
    return { terminate: () => running-- };
  };
  const error = await makeTeam(4, start).catch((cause) => cause);
  assert.instance(error, UnsupportedError);
  assert.is((error.cause as Error).message, "no more");
  assert.is(running, 0);
});

test("dispose ends the workers", async () => {
  const deaths: unknown[] = [];
  const { team } = await makeTeam(3, (task, onDeath) =>
    startWorker(task, (cause) => {
      deaths.push(cause);
      onDeath(cause);
    }),
  );
  team.dispose();
  for (let waited = 0; deaths.length < 2 && waited < 5000; waited += 10) await sleep(10);
  assert.is(deaths.length, 2);
});

test("an idle team sleeps", async () => {
  const { core, team } = await makeTeam(3);
  team.run(copying(core, 0, core.allocate(4096), 1024));
  await sleep(100);
  const before = process.cpuUsage();
  await sleep(500);
  const { user, system } = process.cpuUsage(before);
  // Two workers that span would take 1,000,000 µs between them.
  assert.ok(user + system < 250_000, `${user + system} µs`);
  team.dispose();
});

test("numbers of threads that cannot be", async () => {
  for (const [threads, shown] of [
    [0, "0"],
    [-1, "-1"],
    [1.5, "1.5"],
    [65, "65"],
    [Number.NaN, "NaN"],
    ["many" as "auto", '"many"'],
  ] as const) {
    const error = await loadModel("models/nano", { threads }).catch((cause) => cause);
    assert.instance(error, ArgumentError);
    assert.match(error.message, `is ${shown}`);
  }
});

test.run();
