/** Threads: the same bits for any number of them, deaths that give errors, workers that end and that idle without effort. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Core } from "../../src/core/core.ts";
import { bestFlavour } from "../../src/core/module.ts";
import { startWorker } from "../../src/core/start-worker-node.ts";
import { Tape } from "../../src/core/tape.ts";
import { type StartWorker, Team } from "../../src/core/team.ts";
import { ArgumentError, RuntimeError } from "../../src/errors.ts";
import { loadModel, type Model } from "../../src/node.ts";
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
    (error: Error) => error instanceof RuntimeError && /thread has died/.test(error.message),
  );
  assert.throws(() => team.run(pointer), /thread has died/);
  team.dispose();
});

test("a worker that ends between two tapes gives an error", async () => {
  const ends: (() => void)[] = [];
  const { core, team } = await makeTeam(2, async (task, onDeath) => {
    const worker = await startWorker(task, onDeath);
    ends.push(() => worker.terminate());
    return worker;
  });
  const pointer = copying(core, 0, core.allocate(4096), 1024);
  team.run(pointer);
  ends[0]!();
  await sleep(100);
  assert.throws(
    () => team.run(pointer),
    (error: Error) => error instanceof RuntimeError && error.cause instanceof Error,
  );
  team.dispose();
});

test("workers that cannot start give an error and leave none behind", async () => {
  let running = 0;
  const start: StartWorker = async ({ thread }) => {
    if (thread === 2) throw new Error("no more");
    running++;
    return { terminate: () => running-- };
  };
  const error = await makeTeam(4, start).catch((cause) => cause);
  assert.instance(error, RuntimeError);
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
