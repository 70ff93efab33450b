/**
 * Measures the engine and writes bench/results: `npm run bench`.
 *
 *   node bench/run.mjs [--quick] [PATTERN]     the suites whose names match; --quick for a short look
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import process from "node:process";
import { createInterface } from "node:readline";
import asc from "assemblyscript/asc";
import { build } from "esbuild";
import { markdown, terminal } from "./tables.mjs";

const SUITES = ["products", "vectors", "cache", "engine", "compression", "reading", "sessions", "loading"];
const FOLDER = ".bench";

const words = process.argv.slice(2);
const quick = words.includes("--quick");
const pattern = new RegExp(words.find((word) => word !== "--quick") ?? ".");
const suites = SUITES.filter((name) => pattern.test(name));

rmSync(FOLDER, { recursive: true, force: true });
mkdirSync(FOLDER);
await Promise.all([compileLimits([], "limits"), compileLimits(["relaxed-simd"], "limits.relaxed"), bundle()]);
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

/** Compiles the limits' loops; their folder has no asconfig.json, which asc would merge into this call. */
async function compileLimits(features, name) {
  const enabled = ["simd", ...features].flatMap((feature) => ["--enable", feature]);
  const options = ["--runtime", "stub", "-O3", "--noAssert", "--converge", "--importMemory"];
  const target = ["--baseDir", "bench/assembly", "--outFile", `../../${FOLDER}/${name}.wasm`];
  const { error, stderr } = await asc.main(["limits.ts", ...target, ...options, ...enabled]);
  if (error) throw new Error(`bench/assembly/limits.ts does not compile\n${stderr}`);
}

/** Bundles the suites with the sources, and puts the core and the worker's script beside them, where they are looked for. */
async function bundle() {
  await build({
    entryPoints: ["child", "load-once", ...suites].map((name) => `bench/suites/${name}.ts`),
    outdir: FOLDER,
    outExtension: { ".js": ".mjs" },
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    packages: "external",
    logLevel: "warning",
  });
  for (const name of readdirSync("dist")) {
    if (/\.wasm$|^worker-node\.js$/.test(name)) cpSync(`dist/${name}`, `${FOLDER}/${name}`);
  }
}
