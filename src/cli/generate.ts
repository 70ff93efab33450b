/** `siskin generate`: goes on with a text. */
import process from "node:process";
import type { Command } from "commander";
import { type LoadProgress, loadModel } from "../runtimes/node.ts";
import { drawn } from "./answers.ts";
import {
  type DrawingArguments,
  type ModelArguments,
  positiveInteger,
  withDrawing,
  withModel,
  withThreads,
} from "./options.ts";
import { Progress } from "./progress.ts";

interface GenerateArguments extends ModelArguments, DrawingArguments {
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
  withDrawing(withThreads(withModel(command)))
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
      // Text without an end is wanted where it is asked for; else a loop is the end of it.
      const endless = budget !== undefined || every !== undefined || ignoreEnd === true;
      const { reason } = await drawn(
        (onEnd) => session.generate(prompt, { ...drawing, budget, every, onEnd, signal }),
        (piece) => process.stdout.write(piece),
        !endless,
      );
      process.stdout.write("\n");
      if (reason === "repetition") process.stderr.write("siskin: stopped where the text began to repeat itself\n");
    } finally {
      model.dispose();
    }
  } finally {
    progress.end();
  }
}
