/** A user's script bundled to one CommonJS file, which has nothing beside it: `bundled-node.cjs INPUTS MODEL`. */

import { Buffer } from "node:buffer";
import { readFileSync } from "node:fs";
import process from "node:process";
import * as siskin from "siskin";
import { embeddedCore } from "siskin/core-embedded";
import { task } from "./task.js";

async function main() {
  const { text, questions, capsule } = JSON.parse(readFileSync(process.argv[2], "utf8"));
  const core = await embeddedCore();
  await siskin.loadCore({ core });
  const bytes = new Uint8Array(Buffer.from(capsule, "base64"));
  const inputs = { text, questions, capsule: bytes };
  const baseline = new WebAssembly.Module(readFileSync(process.argv[4]));
  const result = await task(siskin, process.argv[3], baseline, inputs, { core });
  console.log(JSON.stringify({ ...result, made: undefined }));
}

main();
