/** A user's script, run by each runtime: opens a capsule with the installed package and prints what it answers as JSON. */
import { readFile } from "node:fs/promises";
import process from "node:process";
import { loadModel } from "siskin";

const [modelPath, capsulePath, question] = process.argv.slice(2);
const core = await WebAssembly.compile(await readFile(new URL(import.meta.resolve("siskin/core.wasm"))));
const model = await loadModel(modelPath, { core });
const session = model.openSession(await readFile(capsulePath));
let answer = "";
for await (const piece of session.ask(question)) answer += piece;
const logits = session.prefill(model.tokenizer.encode(question));
const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", logits));
console.log(JSON.stringify({ answer, logits: Array.from(hash).join() }));
