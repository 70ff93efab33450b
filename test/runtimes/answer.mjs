/** A user's script, run by each runtime: reads a document with the installed package and prints what came out as JSON. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { loadModel } from "siskin";

const [modelPath, documentPath] = process.argv.slice(2);
const text = await readFile(`${documentPath}.txt`, "utf8");
const questions = JSON.parse(await readFile(`${documentPath}.json`, "utf8")).questions.map(({ question }) => question);

/** Hexadecimal SHA-256 of the bytes of a typed array. */
async function digest(values) {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", values));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function gather(pieces) {
  let all = "";
  for await (const piece of pieces) all += piece;
  return all;
}

const core = await WebAssembly.compile(await readFile(new URL(import.meta.resolve("siskin/core.wasm"))));
const model = await loadModel(modelPath, { core });
const session = model.createSession();
await session.read(text, { questions, budget: 512 });
const answers = [];
for (const question of questions) answers.push(await gather(session.ask(question)));
const logits = session.fork().prefill(model.tokenizer.encode(questions[0]));

// The build of the core that the package itself chooses here.
const chosen = await loadModel(modelPath);
const firstTokens = model.tokenizer.encode(text.slice(0, 400));
const difference = (a, b) => a.reduce((most, value, index) => Math.max(most, Math.abs(value - b[index])), 0);

console.log(
  JSON.stringify({
    answers,
    entries: session.cacheLength(0, 0),
    positions: await digest(session.positions(0, 0)),
    keys: await digest(session.keys(model.config.layers - 1, 0)),
    logits: await digest(logits),
    chosenDifference: difference(
      chosen.createSession().prefill(firstTokens),
      model.createSession().prefill(firstTokens),
    ),
  }),
);
