/** Reads a document and answers questions: `node examples/ask.mjs FILE "QUESTION" ["QUESTION" ...]`. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { loadModel } from "siskin";
import nano from "siskin-nano";

const [file, ...questions] = process.argv.slice(2);
const model = await loadModel(nano);
const session = model.createSession();

// Every question is heard while the document is read: what is kept is what they look at.
await session.read(await readFile(file, "utf8"), { questions, budget: 512 });
console.log(
  `${session.absolutePosition} tokens read, ${session.cacheLength(0, 0)} kept in ${session.byteLength} bytes`,
);

for (const question of questions) {
  console.log(`\n${question}`);
  for await (const piece of session.ask(question)) process.stdout.write(piece);
  console.log();
}
model.dispose();
