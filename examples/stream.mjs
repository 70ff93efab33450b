/** Reads text while it arrives, for instance from a pipe: `cat FILE | node examples/stream.mjs "QUESTION"`. */
import process from "node:process";
import { fileURLToPath } from "node:url";
import { loadModel } from "siskin";

const question = process.argv[2];
const model = await loadModel(fileURLToPath(new URL("../models/nano", import.meta.url)));
const session = model.createSession();

// Any iterable of strings will do: response.body.pipeThrough(new TextDecoderStream()), a generator, a file's stream.
await session.read(process.stdin.setEncoding("utf8"), {
  questions: question,
  onProgress: ({ tokensRead, cacheBytes }) => console.error(`${tokensRead} tokens read, cache ${cacheBytes} bytes`),
});
for await (const piece of session.ask(question)) process.stdout.write(piece);
console.log();
model.dispose();
