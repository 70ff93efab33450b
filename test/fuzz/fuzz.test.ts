/** Some of the damaged files and wrong arguments that `npm run fuzz` tries: FUZZ_MINUTES says for how long, otherwise each kind gets 200. */
import { spawn } from "node:child_process";
import process from "node:process";
import { suite } from "uvu";
import * as assert from "uvu/assert";

const test = suite("fuzz");
const minutes = process.env.FUZZ_MINUTES;
const amount = minutes === undefined ? ["--inputs", "1400"] : ["--minutes", minutes];

test("every input is taken or refused, and the engine is right afterwards", async () => {
  const child = spawn(process.execPath, ["test/fuzz/run.mjs", ...amount, "--workers", "1"]);
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
  const code = await new Promise((resolve) => child.on("exit", resolve));
  console.log(output.trimEnd().split("\n").at(-1));
  assert.is(code, 0, output);
  assert.match(output, / 0 violations/);
});

test.run();
