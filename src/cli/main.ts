#!/usr/bin/env node
/** The command line: reads the arguments, runs a command, and turns whatever ends it into one line and an exit code. */
import { readFileSync } from "node:fs";
import process from "node:process";
import { Command, CommanderError } from "commander";
import { addAsk } from "./ask.ts";
import { addEval } from "./eval.ts";
import { addGenerate } from "./generate.ts";
import { addInspect } from "./inspect.ts";
import { addModels } from "./models.ts";

/** What a shell gives for a program that Ctrl-C ended: 128 + SIGINT. */
const INTERRUPTED = 130;

const interruption = new AbortController();
// Once: whoever presses Ctrl-C again means it.
process.once("SIGINT", () => interruption.abort());
// Whoever reads the output, as `head` does, may have had enough.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(0);
    throw error;
  });
}

const { version } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8"));
const program = new Command("siskin")
  .description("Reads documents of any length in fixed memory and answers questions about them.")
  .version(version)
  .addHelpText(
    "after",
    `
Examples:
  siskin ask "What unlocks room 480?" story.txt
  siskin ask story.txt --save story.capsule
  siskin ask "What unlocks room 480?" --open story.capsule
  siskin ask "What unlocks room 480?" --document story.txt --model HuggingFaceTB/SmolLM2-360M-Instruct
  siskin generate "Once upon a time"
  siskin models
  siskin eval --quick

siskin help ask lists what ask takes.`,
  )
  .exitOverride()
  // Commander's own errors come out below, with all others.
  .configureOutput({ outputError: () => {} });
addAsk(program, interruption.signal);
addEval(program, interruption.signal);
addGenerate(program, interruption.signal);
addInspect(program, interruption.signal);
addModels(program, interruption.signal);

try {
  await program.parseAsync();
} catch (error) {
  if (interruption.signal.aborted) {
    // The shell's prompt should not stand behind half an answer.
    if (process.stdout.isTTY) process.stdout.write("\n");
    process.exitCode = INTERRUPTED;
  } else if (error instanceof CommanderError) {
    // Help and version are no errors, and neither is help for want of a command a fault to be named again.
    if (!error.code.startsWith("commander.help") && error.code !== "commander.version") complain(error.message);
    process.exitCode = error.exitCode;
  } else {
    complain(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}

/** Prints an error in one line. */
function complain(message: string): void {
  const line = message.replace(/^error: /, "").replace(/\s*\n\s*/g, " ");
  process.stderr.write(`siskin: ${line}\n`);
}
