/**
 * `npm run test:runtimes`: packs the two tarballs, installs them as a user does, and tries them on every runtime and with
 * every bundler; prints what weighs what and the README's table, and ends with "N passed, N failed, N skipped".
 *
 *   node test/packed/run.mjs [--write] [PATTERN]     only the tests whose names match; --write puts the table into the README
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import process from "node:process";
import { createInterface } from "node:readline";

const here = "test/packed";
const words = process.argv.slice(2);
const pattern = words.find((word) => word !== "--write");
const installed = `${here}/node_modules/.package-lock.json`;
if (!existsSync(installed) || statSync(installed).mtimeMs < statSync(`${here}/package-lock.json`).mtimeMs) {
  const { status } = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], {
    cwd: here,
    stdio: "inherit",
  });
  if (status !== 0) process.exit(1);
}
const child = spawn(process.execPath, ["test/child.mjs", `${here}/packed.mjs`], {
  stdio: ["ignore", "pipe", "inherit"],
  env: { ...process.env, PACKED_PATTERN: pattern ?? ".", PACKED_WRITE: words.includes("--write") ? "1" : "" },
});
const exit = new Promise((resolve) => child.on("exit", resolve));
let sums;
for await (const line of createInterface({ input: child.stdout })) {
  const match = /^@counts (\d+) (\d+) (\d+)$/.exec(line);
  if (match) sums = `${match[1]} passed, ${match[2]} failed, ${match[3]} skipped`;
  else console.log(line);
}
const code = await exit;
console.log(sums ?? `ended with code ${code} before its summary`);
process.exitCode = sums && code === 0 ? 0 : 1;
