/** `siskin models`: lists, fetches and removes models of the Hugging Face Hub in the cache that all its programs share. */
import process from "node:process";
import type { Command } from "commander";
import { SiskinError } from "../errors.ts";
import { type CachedModel, cachedModels, removeModel } from "../hub/disk-models.ts";
import { cacheFolder } from "../hub/environment.ts";
import { parseHubName } from "../hub/name.ts";
import { openModelOnDisk } from "../hub/node.ts";
import { bytes } from "./figures.ts";
import { Progress } from "./progress.ts";

/** Adds the command. @param signal stops it */
export function addModels(program: Command, signal: AbortSignal): void {
  const models = program.command("models").description("list, fetch and remove cached models of the Hugging Face Hub");
  models
    .command("list", { isDefault: true })
    .description("list what is in the cache")
    .option("--json", "print one JSON array")
    .action(list);
  models
    .command("fetch")
    .description("download a model, so that it can be used without a network")
    .argument("<name>", "org/name, org/name:Q4_K_M or org/name@revision")
    .option("--progress", "show progress where standard error is no terminal, too")
    .action((name: string, options: { progress?: true }) => fetchModel(name, options, signal));
  models
    .command("remove")
    .description("remove a model with all its revisions")
    .argument("<name>", "org/name")
    .action(remove);
}

async function list(options: { json?: true }): Promise<void> {
  const models = await cachedModels(cacheFolder());
  if (options.json) {
    process.stdout.write(`${JSON.stringify(models)}\n`);
    return;
  }
  const width = models.reduce((most, { name }) => Math.max(most, name.length), 0);
  const line = ({ name, byteLength, revisions, incomplete }: CachedModel) =>
    `${name.padEnd(width)}  ${bytes(byteLength).padStart(8)}  ${revisions.join(", ")}${incomplete ? "  (incomplete)" : ""}`.trimEnd();
  process.stdout.write(models.map((model) => `${line(model)}\n`).join("") || `No models in ${cacheFolder()}\n`);
}

async function fetchModel(text: string, options: { progress?: true }, signal: AbortSignal): Promise<void> {
  const name = parseHubName(text);
  if (!name) throw notName(text, "org/name, org/name:Q4_K_M or org/name@revision");
  const progress = new Progress(options.progress === true);
  try {
    await openModelOnDisk(name, {
      signal,
      onDownload: (bytesRead, bytesTotal) => progress.loading({ stage: "download", bytesRead, bytesTotal }),
    });
  } finally {
    progress.end();
  }
  process.stdout.write(`${name.text} is in ${cacheFolder()}\n`);
}

async function remove(text: string): Promise<void> {
  const name = parseHubName(text);
  if (!name || name.text !== name.repository) throw notName(text, "org/name: all its revisions go together");
  process.stdout.write(`${name.text} removed, ${bytes(await removeModel(cacheFolder(), name.repository))}\n`);
}

const notName = (text: string, wanted: string) => new SiskinError(`${text} is not the name of a model: ${wanted}`);
