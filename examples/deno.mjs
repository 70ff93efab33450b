/** In Deno, which needs to be allowed to read and nothing else: `deno run --allow-read examples/deno.mjs FILE "QUESTION"`. */
import { loadModel } from "siskin";
import nano from "siskin-nano";

const { args, readTextFile, stdout } = globalThis.Deno;
const [file, question] = args;
const model = await loadModel(nano, { threads: "auto" });
const session = model.createSession();
await session.read(await readTextFile(file), { questions: question, budget: 512 });
const pieces = ReadableStream.from(session.ask(question));
await pieces.pipeThrough(new TextEncoderStream()).pipeTo(stdout.writable, { preventClose: true });
console.log();
model.dispose();
