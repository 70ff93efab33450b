/** `siskin ask --show kept` and `--html`: the picture of a real reading, on standard output and in a file. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { stripVTControlCharacters } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { page } from "../support/documents.ts";
import { run } from "./siskin.ts";

const test = suite("siskin ask --show kept");
const { documentPath, questions, tokenCount } = page;
const file = `${documentPath}.txt`;
const document = readFileSync(file, "utf8");
const folder = mkdtempSync(join(tmpdir(), "siskin-heat-"));
const { FORCE_COLOR, NO_COLOR } = process.env;
test.before.each(() => {
  delete process.env.FORCE_COLOR;
  delete process.env.NO_COLOR;
});
test.after(() => {
  if (FORCE_COLOR !== undefined) process.env.FORCE_COLOR = FORCE_COLOR;
  if (NO_COLOR !== undefined) process.env.NO_COLOR = NO_COLOR;
  rmSync(folder, { recursive: true });
});

test("colours: the whole document, 128 entries of it bright, and the answer below", async () => {
  process.env.FORCE_COLOR = "2";
  const { code, stdout, stderr } = await run([
    "ask",
    questions[0]!,
    "--document",
    file,
    "--budget",
    "128",
    "--show",
    "kept",
  ]);
  assert.is(code, 0, stderr);
  const plain = stripVTControlCharacters(stdout);
  assert.ok(plain.startsWith(`${document}\n\n`));
  assert.ok(plain.slice(document.length).includes("Mabel Chandra"));
  // All heads keep the same entries with this press: no shade but the brightest.
  assert.equal(new Set(stdout.match(/48;5;\d+/g)), new Set(["48;5;226"]));
  const kept = stdout
    .split("\x1b[")
    .flatMap((piece) => piece.split("48;5;226m")[1] ?? [])
    .join("");
  assert.ok(kept.includes("Mabel Chandra"), kept);
  assert.ok(kept.length < document.length / 4, `${kept.length} of ${document.length} characters`);
});

test("a page from standard input beside --json, and plain text where there are no colours", async () => {
  const page = join(folder, "page.html");
  const words = ["ask", questions[0]!, "--budget", "256", "--press", "finch", "--document"];
  const { code, stdout, stderr } = await run([...words, "-", "--html", page, "--json"], [document]);
  assert.is(code, 0, stderr);
  const html = readFileSync(page, "utf8");
  assert.is(html.match(/<i[ >]/g)!.length, tokenCount);
  assert.ok(html.includes("<h1>standard input</h1>"));
  const { answer } = JSON.parse(stdout).answers[0];
  assert.ok(html.includes(`<dd>${answer.replaceAll("'", "&#39;")}</dd>`));
  // Each layer keeps 256 entries in both heads, some of them the prompt's head.
  const { heads, layers } = JSON.parse(/id="layers">([^<]*)</.exec(html)![1]!);
  assert.is(heads, 2);
  assert.is(layers.length, 8);
  for (const pairs of layers as number[][]) {
    assert.ok(pairs.length / 2 > 240 && pairs.length / 2 <= 256, `${pairs.length / 2} entries`);
    assert.ok(pairs.every((value, index) => (index % 2 === 0 ? value < tokenCount : value === 2)));
  }
  const plain = await run([...words, file, "--show", "kept"]);
  assert.is(plain.code, 0, plain.stderr);
  assert.not.ok(plain.stdout.includes("\x1b"));
  assert.match(plain.stdout, /…/);
  assert.ok(plain.stdout.endsWith(`\n\n${answer}\n`));
});

const errors: [words: string[], message: RegExp][] = [
  [["--document", file, "--show", "kept", "--json"], /--show.*--json/],
  [["--document", file, "--show", "all"], /--show.*all.*kept/],
  [["--open", "none", "--show", "kept"], /give a FILE/],
  [["--document", file, "--budget", "3000", "--chunk", "1000", "--html", tmpdir()], /cannot be written/],
];
for (const [words, message] of errors) {
  test(`an error in one line: ${words.slice(-3).join(" ")}`, async () => {
    const { code, stderr } = await run(["ask", "Who?", ...words]);
    assert.is(code, 1);
    assert.match(stderr, /^siskin: [^\n]+\n$/);
    assert.match(stderr, message);
  });
}

test.run();
