/** Whatever is wrong with a command is said in one line, with exit code 1; a reader that has had enough is no error. */
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { page } from "../support/documents.ts";
import { run, start } from "./siskin.ts";

const test = suite("siskin's errors");

const folder = mkdtempSync(join(tmpdir(), "siskin-cli-"));
test.after(() => rmSync(folder, { recursive: true }));
const empty = join(folder, "empty.txt");
writeFileSync(empty, "");
const damaged = join(folder, "damaged.gguf");
const zip = join(folder, "words.docx");
writeFileSync(zip, "PK\x03\x04 and so on");
const link = join(folder, "link.txt");
symlinkSync(`${page.documentPath}.txt`, link);
writeFileSync(damaged, "GGUF\x03\0\0\0 and nothing more");

const ask = (...words: string[]) => ["ask", "Who?", "--document", `${page.documentPath}.txt`, ...words];

const cases: [words: string[], message: RegExp][] = [
  [["frob"], /unknown command 'frob'/],
  [["ask", "Who?"], /input is empty.*FILE/],
  [["ask", ""], /question is empty/],
  [["ask", "  ", `${page.documentPath}.txt`], /question is empty/],
  [["ask", `${page.documentPath}.txt`], /no question/],
  [["ask", "Who?", "stroy.txt"], /stroy\.txt cannot be read: there is no such file/],
  [["ask", "Who?", "./stroy"], /\.\/stroy cannot be read: there is no such file/],
  [ask(`${page.documentPath}.txt`), /page\.txt is given twice/],
  [ask("--document", `${page.documentPath}.txt`), /page\.txt is given twice/],
  [ask(link), /page\.txt is given twice: .*link\.txt is the same file/],
  [["ask", "Who?", folder], /siskin-cli-.* is a folder: name the files in it/],
  [["ask", "Who?", "dist/core.wasm"], /core\.wasm is no text but binary data \(byte 0 is 0\)/],
  [["ask", "Who?", zip], /words\.docx is no text but a ZIP archive/],
  [["ask", "--questions", empty, `${page.documentPath}.txt`], /empty\.txt holds no question/],
  [
    ["ask", "Who?", "examples/documents/story.txt", "--whole"],
    /story\.txt takes 15897 tokens.* 4096: leave out --whole/,
  ],
  [ask("--whole", "--budget", "64"), /--whole.*--budget/],
  [ask("--not-found", "2"), /--not-found.*from 0 to 1/],
  [ask("--max-tokens", "0"), /--max-tokens.*'0'/],
  [["ask", "--document", empty], /no question/],
  [["ask", "Who?", "--open", join(folder, "none")], /none cannot be read/],
  [["ask", "Who?", "--open", damaged], /damaged\.gguf: .*capsule/],
  [["ask", "Who?", "--open", damaged, "--scheme", "original"], /--scheme.*--open/],
  [ask("--budget", "3000", "--chunk", "1000", "--save", folder), /cannot be written/],
  [ask("--bugdet", "3"), /unknown option '--bugdet'.*--budget/],
  [ask("--budget", "0"), /--budget.*'0'.*positive whole number/],
  [ask("--budget", "1e3"), /--budget.*'1e3'/],
  [ask("--chunk", "-5"), /--chunk.*'-5'/],
  [ask("--budget", "5000"), /5000.*window has 4096/],
  [["ask", "Who?", "--document", "examples/documents/story.txt", "--scheme", "original"], /15897.*window of 4096/],
  [ask("--press", "best"), /no press "best".*finch.*siskin/],
  [ask("--press", "adakv"), /adakv needs its option press/],
  [ask("--scheme", "stale"), /--scheme.*stale.*contiguous, original/],
  [ask("--threads", "0"), /--threads.*'0'/],
  [ask("--model", join(folder, "none")), /none: there is no such file or folder/],
  [ask("--model", join(folder, "none.gguf")), /none\.gguf.*no such file/],
  [ask("--model", damaged), /damaged\.gguf.*(byte|ends|truncated)/],
  [["ask", "Who?", "--document", join(folder, "none.txt")], /none\.txt cannot be read/],
  [["ask", "Who?", "--document", folder], /is a folder/],
  [["ask", "Who?", "--document", empty], /empty\.txt is empty/],
  [["ask", "Who?", "--document", "-"], /input is empty/],
  [["eval", "--tasks", "riddle"], /"riddle".*needle, keys/],
  [["eval", "--methods", "best"], /"best".*finch.*siskin/],
  [["eval", "--lengths", "1000,,2000"], /--lengths.*a,b,c/],
  [["eval", "--ratios", "1.5"], /--ratios.*from 0 to/],
  [["generate"], /prompt/],
  [["generate", "one", "two"], /too many arguments/],
  [["generate", "x", "--temperature", "-1"], /--temperature.*'-1'/],
  [["generate", "x", "--top-p", "1.5"], /--top-p.*from 0 to 1/],
  [["generate", "x", "--top-p", "0"], /topP cannot be 0/],
  [["generate", "x", "--top-k", "0"], /--top-k.*'0'/],
  [["generate", "x", "--seed", "1.5"], /--seed.*'1\.5'/],
  [["generate", "x", "--budget", "4000"], /4000.*256.*window of 4096/],
  [["generate", "x", "--every", "0"], /--every.*'0'/],
  [["generate", "x ".repeat(5000)], /window of 4096/],
];

for (const [words, message] of cases) {
  const name = words.join(" ").replaceAll(folder, "FOLDER").replace(`${page.documentPath}.txt`, "FILE").slice(0, 60);
  test(name, async () => {
    const { code, stdout, stderr } = await run(words);
    assert.is(code, 1);
    assert.is(stdout, "");
    assert.match(stderr, /^siskin: [^\n]+\n$/);
    assert.match(stderr, message);
  });
}

test("help and version are no errors", async () => {
  const help = await run(["ask", "--help"]);
  assert.is(help.code, 0);
  assert.is(help.stderr, "");
  for (const option of ["--document", "--budget", "--json"]) assert.ok(help.stdout.includes(option));
  assert.equal(await run(["--version"]), { code: 0, stdout: "0.1.0\n", stderr: "" });
});

test("no command at all: the help, on standard error", async () => {
  const { code, stdout, stderr } = await run([]);
  assert.is(code, 1);
  assert.is(stdout, "");
  assert.match(stderr, /^Usage: siskin/);
  assert.not.match(stderr, /siskin: /);
});

test("a reader that closes the pipe ends the command without an error", async () => {
  const child = start("generate", "Once upon", "--max-tokens", "4000", "--temperature", "1", "--seed", "1");
  const closed = once(child, "exit");
  const stderr = text(child.stderr);
  await once(child.stdout, "data");
  child.stdout.destroy();
  assert.equal(await closed, [0, null]);
  assert.is(await stderr, "");
});

test.run();
