/** A user's script for Node, Deno and Bun: `main.js INPUTS` prints what came out as JSON, the capsule in base64. */

import { Buffer } from "node:buffer";
import { readFile } from "node:fs/promises";
import process from "node:process";
import * as siskin from "siskin";
import nano from "siskin-nano";
import { task } from "./task.js";

const { text, questions, capsule } = JSON.parse(await readFile(process.argv[2], "utf8"));
const baseline = await WebAssembly.compile(await readFile(new URL(import.meta.resolve("siskin/core.wasm"))));
const bytes = capsule && new Uint8Array(Buffer.from(capsule, "base64"));
const result = await task(siskin, nano, baseline, { text, questions, capsule: bytes });
console.log(JSON.stringify({ ...result, made: Buffer.from(result.made).toString("base64") }));
