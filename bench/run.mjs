/**
 * Measures the engine and writes bench/results: `npm run bench`.
 *
 *   node bench/run.mjs [--quick] [PATTERN]     the suites whose names match; --quick for a short look
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import process from "node:process";
import { createInterface } from "node:readline";
import { bundleScripts } from "../tools/bundle.mjs";
import { addLimits } from "./limits.mjs";
import { markdown, terminal } from "./tables.mjs";

const SUITES = ["products", "vectors", "cache", "engine", "compression", "reading", "sessions", "loading"];
const FOLDER = ".bench";

const words = process.argv.slice(2);
const quick = words.includes("--quick");
const pattern = new RegExp(words.find((word) => word !== "--quick") ?? ".");
const suites = SUITES.filter((name) => pattern.test(name));

await bundleScripts(
  ["child", "load-once", ...suites].map((name) => `bench/suites/${name}.ts`),
  FOLDER,
);
await addLimits(FOLDER);
mkdirSync("bench/results", { recursive: true });
let machine;
for (const suite of suites) {
  // A process for each: nothing that one compiled or allocated helps or hinders the next.
  const child = fork(`${FOLDER}/child.mjs`, [suite, String(quick)], { silent: true });
  child.stderr.pipe(process.stderr);
  passOn(child.stdout);
  const [message] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (!message?.table) throw new Error(`The suite ${suite} has failed`);
  const { flavour, table } = message;
  machine = { processor: cpus()[0].model, cores: availableParallelism(), node: process.version, flavour };
  console.log(terminal(table));
  const path = `bench/results/${suite}-${flavour}`;
  writeFileSync(`${path}.json`, `${JSON.stringify({ machine, quick, ...table }, null, 1)}\n`);
  writeFileSync(`${path}.md`, markdown(table, machine));
}
if (machine) {
  const { processor, cores, node, flavour } = machine;
  console.log(`${processor}, ${cores} cores, Node ${node}, ${flavour} SIMD; in bench/results as JSON and Markdown`);
}
process.exitCode = suites.length ? 0 : 1;

/** Prints what a suite prints, without benny's line for every round. */
async function passOn(output) {
  for await (const line of createInterface({ input: output })) if (!/^\S*Running "/.test(line)) console.log(line);
}
