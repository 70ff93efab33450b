/** Writes docs/presses.md: `npm run docs:presses`. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { bundleScripts } from "../../tools/bundle.mjs";

const folder = ".bench/agreement";
await bundleScripts(["test/press/agreement.ts"], folder);
writeFileSync("docs/presses.md", execFileSync(process.execPath, [`${folder}/agreement.mjs`]));
