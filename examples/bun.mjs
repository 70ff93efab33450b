/** In Bun: `bun examples/bun.mjs FILE "QUESTION"`. */
import { loadModel } from "siskin";
import nano from "siskin-nano";

const { argv, file, stdout, write } = globalThis.Bun;
const [path, question] = argv.slice(2);
const model = await loadModel(nano, { threads: "auto" });
const session = model.createSession();
await session.read(await file(path).text(), { questions: question, budget: 512 });
for await (const piece of session.ask(question)) await write(stdout, piece);
console.log();
model.dispose();
