/** A suite's own process: runs it and hands its table to bench/run.mjs. */
import process from "node:process";
import { bestFlavour } from "../../src/core/module.ts";

const [suite, quick] = process.argv.slice(2);
const module = await import(new URL(`./${suite}.mjs`, import.meta.url).href);
const table = await module[suite!]({ quick: quick === "true" });
process.send!({ flavour: bestFlavour(false), table }, () => process.exit());
