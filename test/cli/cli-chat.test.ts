/** `siskin chat`: answers, lines that go on, documents, capsules, faults, and Ctrl-C. */
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text as wholeText } from "node:stream/consumers";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { loadModel } from "../../src/runtimes/node.ts";
import { run, start } from "./siskin.ts";

const test = suite("siskin chat");
const folder = mkdtempSync(join(tmpdir(), "siskin-chat-"));
const document = "The miller's dog is called Bruno. The baker's cat is called Mina. It rained all day.";
const question = "What is the miller's dog called?";
const chapter = readFileSync("test/fixtures/documents/chapter.txt", "utf8");
// Nearly all of the chapter.
const reading = ["--budget", "3450", "--weights", "q8"];

test("answers as session.chat does, turn after turn, over lines that go on", async () => {
  const model = await loadModel("models/nano");
  const session = model.createSession();
  const first = `${document}\n\n${question}`;
  const say = async (messages: { role: string; content: string }[]) => {
    let answer = "";
    for await (const piece of session.chat(messages, { maxTokens: 12 })) answer += piece;
    return answer;
  };
  const one = await say([{ role: "user", content: first }]);
  const two = await say([
    { role: "user", content: first },
    { role: "assistant", content: one },
    { role: "user", content: "And the cat?" },
  ]);
  model.dispose();
  const lines = `${document}\\\n\\\n${question}\nAnd the cat?\n`;
  const { code, stdout } = await run(["chat", "--model", "models/nano", "--max-tokens", "12"], [lines]);
  assert.equal([code, stdout], [0, `${one}\n${two}\n`]);
});

test("/file, /show, /save and /open; what cannot be done is said and the conversation goes on", async () => {
  const path = join(folder, "a story.txt");
  const asked = "Who will speak at the Dover wedding?";
  const capsule = join(folder, "a.capsule");
  writeFileSync(path, chapter);
  const lines = [
    `/file ${path}`,
    asked,
    "/show",
    "/nothing",
    "/file /no/such/file",
    "/open",
    `/save ${capsule}`,
    "/exit",
  ];
  const first = await run(["chat", ...reading], [`${lines.join("\n")}\n`]);
  assert.is(first.code, 0);
  assert.match(first.stdout, /Mabel Chandra/);
  assert.match(first.stdout, /Dover/);
  for (const fault of [
    /read \d+ tokens of .*a story\.txt/,
    /There is no \/nothing/,
    /\/no\/such\/file cannot be read/,
    /\/open needs/,
  ]) {
    assert.match(first.stderr, fault);
  }
  const second = await run(["chat", "--weights", "q8"], [`/open ${capsule}\n${asked}\n/clear\n/show\n`]);
  assert.match(second.stdout, /Mabel Chandra/);
  assert.match(second.stderr, /no document to show/);
});

test("Ctrl-C stops the answer and not the program", async () => {
  const child = start("chat", "--max-tokens", "4000", "--temperature", "2", "--seed", "3");
  const ended = once(child, "close");
  child.stdin.write("Tell me everything.\n");
  await once(child.stdout, "data");
  child.kill("SIGINT");
  child.stdin.end(`${document} ${question}\n`);
  child.stdout.resume();
  const [stderr, [code]] = await Promise.all([wholeText(child.stderr), ended]);
  assert.equal([code, stderr], [0, ""]);
});

test("the end", () => {
  rmSync(folder, { recursive: true });
});

test.run();
