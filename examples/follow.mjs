/**
 * Reads a log while it grows and answers anew whenever something was added: `node examples/follow.mjs LOG "QUESTION"`.
 * The cache keeps 512 entries however long the log becomes. Ends when the file is removed.
 */
import { open, stat } from "node:fs/promises";
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { loadModel } from "siskin";
import nano from "siskin-nano";

const [path, question] = process.argv.slice(2);
const model = await loadModel(nano, { threads: "auto" });
const session = model.createSession();
const decoder = new TextDecoder();
let offset = 0;

for (;;) {
  const { size } = await stat(path).catch(() => ({ size: -1 }));
  if (size < 0) break;
  if (size > offset) {
    const text = decoder.decode(await bytesFrom(offset, size), { stream: true });
    offset = size;
    // The session goes on where it stood; a fork answers, so that it knows nothing of having been asked.
    await session.read(text, { questions: question, budget: 512 });
    const fork = session.fork();
    let answer = "";
    for await (const piece of fork.ask(question)) answer += piece;
    fork.dispose();
    console.log(`${session.absolutePosition} tokens: ${answer}`);
  }
  await sleep(200);
}
model.dispose();

async function bytesFrom(start, end) {
  const file = await open(path);
  try {
    const bytes = new Uint8Array(end - start);
    await file.read(bytes, 0, bytes.length, start);
    return bytes;
  } finally {
    await file.close();
  }
}
