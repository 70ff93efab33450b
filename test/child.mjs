/** Runs one bundled test file with uvu, in Node, Deno or Bun, and prints "@counts PASSED FAILED SKIPPED". */
import { resolve } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";

// As uvu/run does: suites queue up and do not start by themselves.
globalThis.UVU_DEFER = 1;
await import("uvu");
const file = process.argv[2];
globalThis.UVU_INDEX = 0;
globalThis.UVU_QUEUE.push([file]);
await import(pathToFileURL(resolve(file)).href);

let passed = 0;
let failed = 0;
let skipped = 0;
for (const run of globalThis.UVU_QUEUE[0].slice(1)) {
  const [errors, ran, left, total] = await run();
  if (errors.length) console.log(`\n${errors}`);
  passed += ran;
  skipped += left;
  // Not the number of errors: uvu swallows a throw in a before hook and runs none of the tests.
  failed += total - ran;
}
if (passed + failed + skipped === 0) {
  console.log(`${file}: no tests (is .run() missing?)`);
  failed = 1;
}
console.log(`\n@counts ${passed} ${failed} ${skipped}`);
process.exit(failed ? 1 : 0);
