/**
 * Tries damaged files and wrong arguments by the thousand: each has to be taken, or refused by one of Siskin's errors, within
 * 2 s of work, with the process alive and the engine right afterwards.
 *
 *   node test/fuzz/run.mjs [--minutes N] [--inputs N] [--seed N] [--kind NAME]
 *
 * Inputs are the same for the same seed. Prints a line for every violation, by which it can be tried again, and a table.
 */
import { fork } from "node:child_process";
import { availableParallelism } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { bundleScripts } from "../../tools/bundle.mjs";

const { values } = parseArgs({
  options: {
    minutes: { type: "string" },
    inputs: { type: "string" },
    seed: { type: "string" },
    kind: { type: "string" },
    workers: { type: "string" },
  },
});
const seconds = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes) * 60;
const most =
  values.inputs === undefined ? (Number.isFinite(seconds) ? Number.POSITIVE_INFINITY : 10_000) : Number(values.inputs);
const first = Number(values.seed ?? 1);
/** Inputs that are tried before the engine is looked at. */
const BATCH = 25;
/** What takes longer than this, on however busy a machine, hangs. */
const PATIENCE = 20_000;

await bundleScripts(["test/fuzz/worker.ts"], ".fuzz");
const started = performance.now();
const counts = new Map();
const violations = [];
const next = new Map();
let given = 0;

function count(kind, what) {
  const row = counts.get(kind) ?? { accepted: 0, refused: 0, violations: 0 };
  counts.set(kind, { ...row, [what]: row[what] + 1 });
}

function violate(kind, input, what) {
  count(kind, "violations");
  violations.push(`${kind}, --seed ${input} --inputs 1: ${what}`);
  console.log(`VIOLATION ${violations.at(-1)}`);
}

/** One process after another until there is nothing left to try. */
async function work() {
  while (!finished()) await life();
}

function finished() {
  return given >= most || (performance.now() - started) / 1000 > seconds;
}

/** The life of one process: batches of inputs until it has to end. */
function life() {
  return new Promise((resolve) => {
    const child = fork(".fuzz/worker.mjs", [], { execArgv: ["--enable-source-maps", "--max-old-space-size=400"] });
    let kind = "";
    let input = 0;
    let timer;
    const listen = () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        violate(kind, input, `no answer within ${PATIENCE / 1000} s`);
        kind = "";
        child.kill("SIGKILL");
      }, PATIENCE);
    };
    let kinds = [];
    const batch = () => {
      if (finished()) {
        kind = "";
        child.kill();
        return;
      }
      kind = values.kind ?? kinds[Math.floor(given / BATCH) % kinds.length];
      const seed = next.get(kind) ?? first;
      const size = Math.min(BATCH, most - given);
      next.set(kind, seed + size);
      given += size;
      child.send({ kind, seed, count: size });
    };
    child.on("message", (message) => {
      listen();
      if (message.ready) kinds = message.ready;
      if (message.outcome) {
        count(kind, message.outcome);
        if (message.violation) violate(kind, message.input, message.violation);
      }
      if (message.input !== undefined) input = message.input;
      if (message.done && message.violation)
        violate(kind, input, `within ${BATCH} inputs before: ${message.violation}`);
      // An engine that is wrong once would be wrong for every input after.
      if (message.done && message.violation) child.kill();
      else if (message.ready || message.done) batch();
    });
    child.on("exit", (code, signal) => {
      clearTimeout(timer);
      if (kind !== "" && signal !== "SIGTERM") violate(kind, input, `the process ended with ${signal ?? code}`);
      resolve();
    });
    listen();
  });
}

await Promise.all(Array.from({ length: Number(values.workers ?? Math.max(1, availableParallelism() - 1)) }, work));
console.log("\nkind          inputs  refused  violations");
for (const [kind, { accepted, refused, violations }] of [...counts].sort()) {
  const cells = [accepted + refused, refused, violations].map((number, index) =>
    String(number).padStart([8, 9, 12][index]),
  );
  console.log(kind.padEnd(12) + cells.join(""));
}
const total = [...counts.values()].reduce((sum, { accepted, refused }) => sum + accepted + refused, 0);
console.log(`${total} inputs, ${violations.length} violations, ${((performance.now() - started) / 1000).toFixed(0)} s`);
process.exitCode = violations.length > 0 || total === 0 ? 1 : 0;
