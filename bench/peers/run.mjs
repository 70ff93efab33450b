/**
 * Measures Siskin beside other engines, interleaved, and writes bench/results: `npm run bench:peers`.
 *
 *   node bench/peers/run.mjs [--quick] [--threads=N] [operators|models]
 *
 * Models need Linux on x64, Python 3, Chromium (at /usr/bin/chromium, or where CHROMIUM says) and the GGUF file of
 * SmolLM2-135M-Instruct in Q4_1.
 */
import { fork } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus } from "node:os";
import { resolve } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { bundleScripts } from "../../tools/bundle.mjs";
import { addLimits } from "../limits.mjs";
import { markdown, terminal } from "../tables.mjs";
import { modelTable } from "./models.mjs";
import { CACHE, installPeers, makeModels, makeOperators } from "./prepare.mjs";

const words = process.argv.slice(2);
const quick = words.includes("--quick");
const threads = Number(words.find((word) => word.startsWith("--threads="))?.slice(10) ?? 1);
const only = words.find((word) => !word.startsWith("--"));

installPeers();
mkdirSync("bench/results", { recursive: true });
if (only !== "models") {
  const models = makeOperators();
  await bundleScripts(["bench/peers/operators.mjs"], `${CACHE}/bundle`);
  await addLimits(`${CACHE}/bundle`);
  const tfjsWasm = fileURLToPath(new URL("./node_modules/@tensorflow/tfjs-backend-wasm/wasm-out/", import.meta.url));
  const child = fork(`${CACHE}/bundle/operators.mjs`, [models, tfjsWasm, String(quick)], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const [message] = await Promise.race([once(child, "message"), once(child, "exit")]);
  if (!message?.table) throw new Error("The operators have failed");
  write("peers-operators", message.table, message.flavour);
}
if (only !== "operators") {
  const q4 = resolve(process.env.SISKIN_SHARED ?? "../shared", "models/smollm2/SmolLM2-135M-Instruct.Q4_1.gguf");
  if (existsSync(q4)) {
    const table = await modelTable({ q4, ...makeModels(q4) }, { quick, threads });
    write(`peers-models-${threads}`, table, "each runtime's best");
  } else console.log("skipped: the GGUF file of SmolLM2-135M-Instruct in Q4_1 is missing");
}

/** Prints a table and writes it as JSON and Markdown. */
function write(name, table, flavour) {
  const machine = { processor: cpus()[0].model, cores: availableParallelism(), node: process.version, flavour };
  console.log(terminal(table));
  writeFileSync(`bench/results/${name}.json`, `${JSON.stringify({ machine, quick, ...table }, null, 1)}\n`);
  writeFileSync(`bench/results/${name}.md`, markdown(table, machine));
}
