/** `siskin generate`: goes on with a text. */
import process from "node:process";
import type { Command } from "commander";
import { type LoadProgress, loadModel } from "../runtimes/node.ts";
import { type ModelArguments, numberBetween, positiveInteger, seed, withModel, withThreads } from "./options.ts";
import { Progress } from "./progress.ts";

interface GenerateArguments extends ModelArguments {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK?: number;
  readonly topP: number;
  readonly seed: number;
  readonly budget?: number;
  readonly every?: number;
  readonly ignoreEnd?: true;
}

/** Adds the command. @param signal stops it */
export function addGenerate(program: Command, signal: AbortSignal): void {
  const command = program
    .command("generate")
    .description("go on with a text")
    .argument("<prompt>", "the text's beginning, read as it is");
  withThreads(withModel(command))
    .option("--max-tokens <number>", "tokens at most", positiveInteger, 256)
    .option("--temperature <number>", "0 takes the likeliest token", numberBetween(0, Number.MAX_VALUE), 0)
    .option("--top-k <number>", "draw among so many of the likeliest tokens", positiveInteger)
    .option("--top-p <number>", "draw among the tokens that reach this probability", numberBetween(0, 1), 1)
    .option("--seed <number>", "the same seed draws the same text", seed, 0)
    .option(
      "--budget <entries>",
      "cache entries to come back to, so that text never fills the window (default with --every: 1024)",
      positiveInteger,
    )
    .option("--every <tokens>", "tokens from one forgetting to the next (default with --budget: 256)", positiveInteger)
    .option("--ignore-end", "go on where the model would end")
    .action((prompt: string, options: GenerateArguments) => generate(prompt, options, signal));
}

async function generate(prompt: string, options: GenerateArguments, signal: AbortSignal): Promise<void> {
  const progress = new Progress(false);
  try {
    const { threads, weights } = options;
    const onProgress = (loaded: LoadProgress) => progress.loading(loaded);
    const model = await loadModel(options.model, { threads, weights, signal, onProgress });
    progress.end();
    try {
      const { maxTokens, temperature, topK, topP, seed, budget, every, ignoreEnd } = options;
      const session = model.createSession();
      const drawing = { maxTokens, temperature, topK, topP, seed, ignoreEnd };
      const pieces = session.generate(prompt, { ...drawing, budget, every, signal });
      for await (const piece of pieces) process.stdout.write(piece);
      process.stdout.write("\n");
    } finally {
      model.dispose();
    }
  } finally {
    progress.end();
  }
}
