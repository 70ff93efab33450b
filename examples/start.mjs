/** `npm start`: the command line reads a document four times as long as the model's window and answers eight questions. */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const planted = JSON.parse(readFileSync(path("documents/story.json"), "utf8")).questions;

console.log(`
A story of 16,000 tokens with facts planted in it. The model, 15.7 million parameters, sees 4,096 tokens at once.
It reads chunk by chunk and keeps 512 tokens of all it has read, those that the ${planted.length} questions look at.
`);
const words = [
  ...["ask", ...planted.map(({ question }) => question)],
  ...["--document", path("documents/story.txt")],
  ...["--budget", "512", "--threads", "auto", "--progress", "--json"],
];
const child = spawn(process.execPath, [path("../dist/cli.js"), ...words], { stdio: ["ignore", "pipe", "inherit"] });
const exit = new Promise((resolve) => child.on("exit", (code) => resolve(code ?? 1)));
const output = await text(child.stdout);
const code = await exit;
if (code !== 0) process.exit(code);

const { answers, cacheEntries, cacheBytes, peakBytes } = JSON.parse(output);
let right = 0;
console.log();
for (const [index, { question, answer }] of answers.entries()) {
  const expected = planted[index].answer;
  const found = answer.includes(expected);
  if (found) right++;
  console.log(`${found ? "right" : "WRONG"}  ${question}\n       ${answer}${found ? "" : ` (planted: ${expected})`}`);
}
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
console.log(`
${right} of ${answers.length} right, from ${cacheEntries} cache entries of ${megabytes(cacheBytes)}. The most memory in use was ${megabytes(peakBytes)}, the model's
weights included, and would be the same for a document of any length. Ask your own:

  npx siskin ask "QUESTION" --document FILE
`);
process.exitCode = right === answers.length ? 0 : 1;
