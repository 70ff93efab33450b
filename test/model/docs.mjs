/** Writes docs/models.md: `npm run docs:models`. */
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { bundleScripts } from "../../tools/bundle.mjs";

const folder = ".bench/families";
await bundleScripts(["test/model/families-table.ts"], folder);
writeFileSync("docs/models.md", execFileSync(process.execPath, [`${folder}/families-table.mjs`]));
