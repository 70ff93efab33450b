/**
 * Measures the tables of docs/eval.md and writes them there; one that was stopped goes on where it was.
 *
 *   node bench/eval.mjs [--only TABLES] [--tasks NAMES] [--documents NUMBER] [--threads NUMBER] [--model PATH]
 */
import { pathToFileURL } from "node:url";
import { bundleScripts } from "../tools/bundle.mjs";

const folder = ".bench/answers";
await bundleScripts(["bench/answers/tables.ts"], folder);
await import(pathToFileURL(`${folder}/tables.mjs`).href);
