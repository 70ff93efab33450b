/** `siskin ask`: right answers, the figures of --json, standard input, what goes where, and how it is stopped. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { answers, checkAnswers, documentPath, page, questions, tokenCount } from "../support/documents.ts";
import { run, start } from "./siskin.ts";

interface Result {
  answers: {
    question: string;
    answer: string;
    found: boolean;
    likelihood: number;
    reason: string;
    quotes: { document: string; text: string; start: number; end: number; weight: number }[];
  }[];
  model: string;
  documents: string[];
  scheme: string;
  cache: string;
  press: string;
  budget: number;
  tokens: number;
  seconds: number;
  cacheEntries: number;
  cacheBytes: number;
  peakBytes: number;
}

const test = suite("siskin ask");
const document = `${page.documentPath}.txt`;
const some = page.questions.slice(0, 2);
const folder = mkdtempSync(join(tmpdir(), "siskin-ask-"));
test.after(() => rmSync(folder, { recursive: true }));
/** With a budget of 256 and chunks of 300. */
let fromFile: Result;

/** Bytes that 8 layers of 2 heads of 64 hold for entries in f32: pages of 32 entries, and the table of their addresses. */
const pageBytes = (entries: number) => 8 * 2 * Math.ceil(entries / 32) * 32 * 2 * 64 * 4;

test("--json: all questions in one reading, with the reading's figures, and nothing on standard error", async () => {
  const { code, stdout, stderr } = await run(["ask", ...questions, "--document", `${documentPath}.txt`, "--json"]);
  assert.is(code, 0);
  assert.is(stderr, "");
  const result: Result = JSON.parse(stdout);
  const {
    answers: _,
    tokens: __,
    seconds: ___,
    cacheEntries,
    cacheBytes: ____,
    peakBytes: _____,
    model,
    ...made
  } = result;
  assert.equal(made, {
    documents: [`${documentPath}.txt`],
    scheme: "contiguous",
    cache: "f32",
    press: "siskin",
    budget: 512,
  });
  assert.match(model, /nano\.gguf$/);
  assert.is(cacheEntries, 512);
  // What each answer looked at is the sentence that states it, and stands where it is said to stand.
  const words = readFileSync(`${documentPath}.txt`, "utf8");
  for (const [index, { found, likelihood, reason, quotes }] of result.answers.entries()) {
    assert.equal([found, reason], [true, "end"]);
    assert.ok(likelihood > 0.5 && likelihood <= 1);
    assert.ok(quotes[0]!.text.includes(answers[index]!), `${answers[index]}: ${quotes[0]!.text}`);
    for (const { document, text, start, end } of quotes) {
      assert.equal([document, words.slice(start, end)], [`${documentPath}.txt`, text]);
    }
  }
  assert.equal(
    result.answers.map(({ question }) => question),
    questions,
  );
  checkAnswers(result.answers.map(({ answer }) => answer));
  assert.is(result.tokens, tokenCount);
  assert.is(result.cacheEntries, 512);
  const table = result.cacheBytes - pageBytes(512);
  assert.ok(table > 0 && table < 4096, `the table takes ${table} bytes`);
  // The weights, 15,728,640 numbers in blocks of 32 with a scale of 4 bytes, are a part of it.
  assert.ok(result.peakBytes > (15_728_640 * 36) / 32 + result.cacheBytes && result.peakBytes < 60e6);
  assert.ok(result.seconds > 0);
});

/** What does not depend on where the text came from and how fast it was read. */
function unnamed({ seconds: _, documents: __, answers, ...rest }: Result) {
  return {
    ...rest,
    answers: answers.map(({ quotes, ...answer }) => ({
      ...answer,
      quotes: quotes.map(({ document: _, ...quote }) => quote),
    })),
  };
}

test("standard input in pieces that cut characters is the same document", async () => {
  const words = ["ask", ...some, "--budget", "256", "--chunk", "300", "--threads", "2", "--json", "--document"];
  const file = await run([...words, document]);
  fromFile = JSON.parse(file.stdout);
  assert.is(fromFile.cacheEntries, 256);
  const bytes = readFileSync(document);
  const pieces = Array.from({ length: Math.ceil(bytes.length / 997) }, (_, i) =>
    bytes.subarray(i * 997, (i + 1) * 997),
  );
  const { code, stdout, stderr } = await run([...words, "-"], pieces);
  assert.is(code, 0);
  assert.is(stderr, "");
  // Pieces in UTF-16 are it too, without a flag.
  const wide = await run(words.slice(0, -1), [Buffer.from(`\ufeff${bytes.toString()}`, "utf16le")]);
  const expected = unnamed(fromFile);
  assert.equal(unnamed(JSON.parse(stdout)), expected);
  assert.equal(unnamed(JSON.parse(wide.stdout)), expected);
});

test("answers alone on standard output, below their questions where there are several", async () => {
  const words = ["--budget", "256", "--chunk", "300", "--document", document];
  const several = await run(["ask", ...some, ...words]);
  const expected = fromFile.answers.map(({ question, answer }) => `${question}\n${answer}\n`).join("\n");
  assert.equal(several, { code: 0, stdout: expected, stderr: "" });
  const one = await run(["ask", some[0]!, ...words]);
  assert.is(one.code, 0);
  assert.match(one.stdout, /^[^\n]*Mabel Chandra[^\n]*\n$/);
  // The file and the questions of another file need no flags; quotes are asked for where there is no terminal.
  const list = join(folder, "questions.txt");
  writeFileSync(list, `${some.join("\r\n\r\n")}\r\n`);
  const same = await run(["ask", "--budget", "256", "--chunk", "300", document, "--questions", list]);
  assert.equal(same, several);
  const quoted = await run(["ask", some[0]!, document, "--budget", "256", "--chunk", "300", "--quotes"]);
  assert.match(
    quoted.stdout,
    /^[^\n]*Mabel Chandra[^\n]*\n {2}“[^\n]*Mabel Chandra will speak[^\n]*” \([^\n]*page\.txt, characters [\d,]+ to [\d,]+\)\n/,
  );
  // Nothing is as sure as that.
  const unsure = await run(["ask", some[0]!, document, "--budget", "256", "--chunk", "300", "--not-found", "1"]);
  assert.equal(unsure, { code: 0, stdout: "not found\n", stderr: "" });
});

test("several documents are read one after another, and quoted by their names; --whole keeps all", async () => {
  const other = join(folder, "other.txt");
  writeFileSync(other, "One of the special magic numbers for old-ship is: 7654321.\r\nThe sea was calm that day.\r\n");
  const question = "What is the special magic number for old-ship mentioned in the provided text?";
  for (const more of [["--budget", "300"], ["--whole"]]) {
    const { code, stdout, stderr } = await run(["ask", question, some[0]!, document, other, "--json", ...more]);
    assert.is(code, 0, stderr);
    const { answers, documents, budget, press, cacheEntries, tokens }: Result = JSON.parse(stdout);
    assert.equal(documents, [document, other]);
    assert.match(answers[0]!.answer, /7654321/);
    const [{ document: name, text, start }] = answers[0]!.quotes as [Result["answers"][0]["quotes"][0]];
    assert.equal([name, start], [other, 0]);
    assert.match(text, /^One of the special magic numbers for old-ship is: 7654321\./);
    if (more.length === 1) assert.equal([budget, press, cacheEntries > tokens - 3], [null, null, true]);
    else assert.equal([budget, press, cacheEntries], [300, "siskin", 300]);
  }
});

test("--press, --scheme and --cache reach the session", async () => {
  const finch = await run([
    "ask",
    some[0]!,
    "--press",
    "finch",
    "--scheme",
    "original",
    "--document",
    document,
    "--json",
  ]);
  assert.is(finch.code, 0, finch.stderr);
  assert.is(JSON.parse(finch.stdout).cacheEntries, 512);
  const small = await run(["ask", some[0]!, "--cache", "q8", "--document", document, "--json"]);
  assert.is(small.code, 0, small.stderr);
  const { cacheBytes, answers } = JSON.parse(small.stdout);
  assert.ok(cacheBytes < 0.3 * pageBytes(512), `${cacheBytes} bytes`);
  assert.ok(answers[0].answer.includes("Mabel Chandra"), answers[0].answer);
});

test("a capsule: read once, asked later, with the same answers", async () => {
  const file = join(folder, "chapter.capsule");
  const words = ["--budget", "256", "--chunk", "300", "--document", document];
  const saved = await run(["ask", ...some, ...words, "--save", file, "--json"]);
  assert.is(saved.code, 0, saved.stderr);
  const { answers, tokens, cacheEntries } = JSON.parse(saved.stdout);
  assert.equal(answers, fromFile.answers);
  const opened = await run(["ask", ...some, "--open", file, "--json"]);
  assert.is(opened.code, 0, opened.stderr);
  const result: Result = JSON.parse(opened.stdout);
  // Quotes need the text, which is not in a capsule.
  const unquoted = answers.map((answer: object) => ({ ...answer, quotes: [] }));
  assert.equal(
    [result.answers, result.tokens, result.seconds, result.cacheEntries],
    [unquoted, tokens, 0, cacheEntries],
  );
  // A second document is read behind the first.
  const more = await run(["ask", some[0]!, "--open", file, "--budget", "256", "--document", "LICENSE", "--json"]);
  assert.is(more.code, 0, more.stderr);
  const both: Result = JSON.parse(more.stdout);
  assert.ok(both.tokens > tokens + 1000 && both.cacheEntries === 256);
  assert.ok(both.answers[0]!.answer.includes("Mabel Chandra"), both.answers[0]!.answer);
});

test("without a question a document can be read and kept", async () => {
  const file = join(folder, "general.capsule");
  const kept = await run(["ask", "--document", document, "--budget", "512", "--save", file]);
  assert.equal(kept, { code: 0, stdout: "", stderr: "" });
  const { code, stdout } = await run(["ask", some[0]!, "--open", file, "--json"]);
  assert.is(code, 0);
  const { tokens, cacheEntries } = JSON.parse(stdout);
  assert.equal([tokens, cacheEntries], [page.tokenCount, 512]);
});

test("Ctrl-C in the middle of reading: exit code 130 and no error", async () => {
  const child = start("ask", ...questions, "--document", "examples/documents/story.txt", "--progress");
  const exit = once(child, "exit");
  const stdout = text(child.stdout);
  let stderr = "";
  child.stderr.setEncoding("utf8").on("data", (piece) => {
    stderr += piece;
  });
  await once(child.stderr, "data");
  child.kill("SIGINT");
  assert.equal(await exit, [130, null]);
  assert.is(await stdout, "");
  assert.match(
    stderr,
    /^(read [\d,]+ of [\d,]+ tokens, [\d,]+ tokens\/s, 512 cache entries in 4\.2 MB, [\d]+ s left\n)+$/,
  );
});

test.run();
