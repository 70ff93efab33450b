/** Reads text while it arrives, for instance from a pipe: `cat FILE | node examples/stream.mjs "QUESTION"`. */
import process from "node:process";
import { loadModel } from "siskin";
import nano from "siskin-nano";

const question = process.argv[2];
const model = await loadModel(nano);
const session = model.createSession();

// Any iterable of strings will do: response.body.pipeThrough(new TextDecoderStream()), a generator, a file's stream.
await session.read(process.stdin.setEncoding("utf8"), {
  questions: question,
  onProgress: ({ tokensRead, cacheBytes }) => console.error(`${tokensRead} tokens read, cache ${cacheBytes} bytes`),
});
for await (const piece of session.ask(question)) process.stdout.write(piece);
console.log();
model.dispose();
