/** What each runtime came to: the same bits as this Node's baseline core everywhere, and a row of the README's table. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import * as assert from "uvu/assert";
import { app, questions, right, run, text } from "./support.mjs";

const rows = [];
const first = join(app, "inputs-first.json");
writeFileSync(first, JSON.stringify({ text, questions }));

/** This Node's run, which makes the capsule that the others open. */
const here = JSON.parse(await run(app, process.execPath, "main.js", first));

/** What the others get: as an object, and in a file. */
export const inputs = {
  text,
  questions,
  capsule: here.made,
  core: readFileSync(join(app, "node_modules/siskin/dist/core.wasm")).toString("base64"),
};
export const inputsPath = join(app, "inputs.json");
writeFileSync(inputsPath, JSON.stringify(inputs));

/** Holds a result to what this Node computed, and keeps its row for the table. */
export function same(name, result) {
  const { answers, again, ...bits } = result.same;
  const { answers: expectedAnswers, again: _, ...expected } = here.same;
  assert.is(right(answers), questions.length, `${name}: ${answers.join(" | ")}`);
  assert.equal(bits, expected);
  // Saved and opened again it goes on as it would have.
  assert.is(again, answers[0]);
  if (result.simd === here.simd) assert.equal(answers, expectedAnswers);
  rows.push({ name, ...result });
}

/** Prints the table; with --write it goes into the README too. */
export function printTable() {
  const number = (value) => value.toLocaleString("en-US");
  const lines = rows.map(({ name, simd, threads, loadMs, tokensPerSecond, bytes }) =>
    [name, simd, threads, number(loadMs), number(tokensPerSecond), `${(bytes / 1e6).toFixed(1)} MB`].join(" | "),
  );
  const head = [
    "runtime | SIMD | threads | load, ms | reading, tokens/s | memory of the core",
    "---|---|--:|--:|--:|--:",
  ];
  const table = [...head, ...lines]
    .map((line) => `| ${line} |`)
    .join("\n")
    .replace("| ---|---|--:|--:|--:|--: |", "|---|---|--:|--:|--:|--:|");
  console.log(table);
  if (!process.env.PACKED_WRITE) return;
  const readme = readFileSync("README.md", "utf8");
  const place = /(?<=<!-- runtimes -->\n).*?(?=<!-- \/runtimes -->)/s;
  writeFileSync("README.md", readme.replace(place, `\n${table}\n\n`));
}
