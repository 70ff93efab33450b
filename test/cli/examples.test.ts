/** The examples run as a newcomer would run them, and their answers are right. */
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import process from "node:process";
import { text } from "node:stream/consumers";
import { promisify } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { page } from "../support/documents.ts";

const test = suite("examples");
const { documentPath, questions, tokenCount } = page;
/** Two tokens of the prompt stand before the text. */
const read = `${tokenCount + 2} tokens read`;
const run = (...words: string[]) => promisify(execFile)(process.execPath, words);

test("npm start: eight right answers from four windows", async () => {
  const { stdout, stderr } = await run("examples/start.mjs");
  assert.match(stdout, /8 of 8 right, from 512 cache entries/);
  assert.is(stdout.match(/^right {2}/gm)?.length, 8);
  assert.match(stderr, /^read 15,897 tokens in /m);
});

test("ask.mjs", async () => {
  const { stdout } = await run("examples/ask.mjs", `${documentPath}.txt`, ...questions.slice(0, 2));
  assert.match(stdout, new RegExp(`^${read}, 512 kept in \\d+ bytes\n`));
  assert.ok(stdout.includes(`\n${questions[0]}\nMabel Chandra\n`), stdout);
  assert.match(stdout, /\n271\n$/);
});

test("stream.mjs", async () => {
  const child = spawn(process.execPath, ["examples/stream.mjs", questions[0]!], { stdio: "pipe" });
  const exit = once(child, "exit");
  child.stdin.end(readFileSync(`${documentPath}.txt`));
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.equal(await exit, [0, null]);
  assert.is(stdout, "Mabel Chandra\n");
  assert.match(stderr, new RegExp(`^${read}`, "m"));
});

test.run();
