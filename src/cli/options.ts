/** Options that commands share, and the checks of what is given for them. */
import { createRequire } from "node:module";
import { type Command, InvalidArgumentError, Option } from "commander";
import { UnsupportedError } from "../errors.ts";
import type { LoadOptions } from "../model/load-options.ts";

/** How a model is loaded, as the command line says it. */
export interface ModelArguments {
  /** A folder, a .gguf file, a URL or a name on the Hub. */
  readonly model: string;
  readonly weights: NonNullable<LoadOptions["weights"]>;
  readonly threads: number | "auto";
}

/** The file of the package siskin-nano, where that is installed. */
function nanoPath(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve("siskin-nano/nano.gguf");
  } catch {
    return undefined;
  }
}

/** Adds --model and --weights. */
export function withModel(command: Command): Command {
  const nano = nanoPath();
  const model = new Option(
    "--model <path>",
    "a folder, a .gguf file, a URL, or a name on the Hugging Face Hub: org/name[:Q4_K_M]",
  );
  return command
    .hook("preAction", (called) => {
      if (called.opts().model !== undefined) return;
      throw new UnsupportedError(
        "--model is missing, and siskin-nano, whose model it would be, too: npm install siskin-nano",
      );
    })
    .addOption(model.default(nano, nano ? "the model of siskin-nano" : "that of siskin-nano, once it is installed"))
    .addOption(
      new Option("--weights <form>", "how weights are held; fewer bits are faster and less exact")
        .choices(["auto", "f32", "q8", "q4"])
        .default("auto", "as the file has them"),
    );
}

/** Adds --threads. */
export function withThreads(command: Command): Command {
  const parse = (text: string) => (text === "auto" ? text : positiveInteger(text));
  return command.addOption(
    new Option("--threads <number>", "threads that compute, or auto").argParser(parse).default(1),
  );
}

/** How text is drawn, as the command line says it. */
export interface DrawingArguments {
  readonly maxTokens: number;
  readonly temperature: number;
  readonly topK?: number;
  readonly topP: number;
  readonly seed: number;
}

/** Adds --max-tokens and how tokens are drawn. */
export function withDrawing(command: Command): Command {
  return command
    .option("--max-tokens <number>", "tokens at most", positiveInteger, 256)
    .option("--temperature <number>", "0 takes the likeliest token", numberBetween(0, Number.MAX_VALUE), 0)
    .option("--top-k <number>", "draw among so many of the likeliest tokens", positiveInteger)
    .option("--top-p <number>", "draw among the tokens that reach this probability", numberBetween(0, 1), 1)
    .option("--seed <number>", "the same seed draws the same text", seed, 0);
}

/** @throws InvalidArgumentError for anything but 1, 2, 3, ... */
export function positiveInteger(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || !Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError("It should be a positive whole number.");
  }
  return value;
}

/** @throws InvalidArgumentError for anything but a number within the bounds, both included */
export function numberBetween(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value) || value < least || value > most) {
      throw new InvalidArgumentError(
        most === Number.MAX_VALUE
          ? `It should be a number of at least ${least}.`
          : `It should be a number from ${least} to ${most}.`,
      );
    }
    return value;
  };
}

/** @throws InvalidArgumentError for anything but 0, 1, 2, ... up to 2^32 - 1 */
export function seed(text: string): number {
  if (!/^\d+$/.test(text) || Number(text) >= 2 ** 32) {
    throw new InvalidArgumentError("It should be a whole number from 0 to 4294967295.");
  }
  return Number(text);
}
