/** `siskin chat`: a conversation at the terminal. */
import { readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import process from "node:process";
import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import { SiskinError } from "../errors.ts";
import { type LoadProgress, loadModel } from "../runtimes/node.ts";
import { TerminalConversation } from "./conversation.ts";
import { hasColours, paintHeatMap } from "./heat-map-terminal.ts";
import {
  type DrawingArguments,
  type ModelArguments,
  positiveInteger,
  withDrawing,
  withModel,
  withThreads,
} from "./options.ts";
import { Progress } from "./progress.ts";

interface ChatArguments extends ModelArguments, DrawingArguments {
  readonly system?: string;
  readonly budget: number;
}

const HELP = `/file PATH   read a document, and talk about it from now on
/show        paint what was kept of it
/save PATH   keep what was read as a capsule
/open PATH   talk about what a capsule holds
/clear       begin anew
/exit        end; so does Ctrl-D
A line that ends with \\ goes on in the next one. Ctrl-C stops an answer.
`;
const COMMANDS = ["/file", "/show", "/save", "/open", "/clear", "/help", "/exit"];
const FIRST_PROMPT = "> ";
const NEXT_PROMPT = "| ";

/** Adds the command. @param signal stops the loading of a model; once there is a conversation, Ctrl-C stops answers */
export function addChat(program: Command, signal: AbortSignal): void {
  const command = program.command("chat").description("talk with a model");
  withDrawing(withThreads(withModel(command)))
    .option("--system <text>", "what the model is told before everything else")
    .option("--budget <entries>", "cache entries that are kept of a document", positiveInteger, 512)
    .action((options: ChatArguments) => chat(options, signal));
}

async function chat(options: ChatArguments, signal: AbortSignal): Promise<void> {
  const progress = new Progress(false);
  const { threads, weights, maxTokens, temperature, topK, topP, seed } = options;
  const onProgress = (loaded: LoadProgress) => progress.loading(loaded);
  const model = await loadModel(options.model, { threads, weights, signal, onProgress }).finally(() => progress.end());
  try {
    const drawing = { maxTokens, temperature, topK, topP, seed };
    await converse(new TerminalConversation(model, drawing, options.system), options.budget);
  } finally {
    model.dispose();
  }
}

/** Reads lines and answers them, to the end of the input. */
async function converse(conversation: TerminalConversation, budget: number): Promise<void> {
  const isTerminal = process.stdin.isTTY === true;
  const lines = createInterface({
    input: process.stdin,
    ...(isTerminal ? { output: process.stdout } : {}),
    completer,
    prompt: FIRST_PROMPT,
  });
  let answering: AbortController | undefined;
  // In a terminal the line editor hears Ctrl-C, elsewhere the process.
  const interrupt = () => {
    if (answering) answering.abort();
    else lines.close();
  };
  lines.on("SIGINT", interrupt);
  process.on("SIGINT", interrupt);
  const ask = (prompt: string) => {
    if (!isTerminal) return;
    lines.setPrompt(prompt);
    lines.prompt();
  };
  try {
    ask(FIRST_PROMPT);
    for await (const text of messages(lines, () => ask(NEXT_PROMPT))) {
      if (text === "/exit") break;
      answering = new AbortController();
      try {
        if (text.startsWith("/")) await command(conversation, text, budget, answering.signal);
        else if (text.trim() !== "") await answer(conversation, text, answering.signal);
      } catch (error) {
        if (!answering.signal.aborted && !(error instanceof SiskinError)) throw error;
        process.stdout.write("\n");
        if (error instanceof SiskinError) process.stderr.write(`siskin: ${error.message}\n`);
      }
      answering = undefined;
      ask(FIRST_PROMPT);
    }
  } finally {
    process.off("SIGINT", interrupt);
    lines.close();
  }
}

/** Lines, those that end with a backslash with the ones that follow. @param more asks for the next one of these */
async function* messages(lines: Interface, more: () => void): AsyncGenerator<string, void, void> {
  let text = "";
  for await (const line of lines) {
    if (line.endsWith("\\")) {
      text += `${line.slice(0, -1)}\n`;
      more();
    } else {
      yield text + line;
      text = "";
    }
  }
  if (text !== "") yield text;
}

async function answer(conversation: TerminalConversation, text: string, signal: AbortSignal): Promise<void> {
  for await (const piece of conversation.say(text, signal)) process.stdout.write(piece);
  process.stdout.write("\n");
}

/** @throws SiskinError for a command that there is not, and what it cannot do */
async function command(
  conversation: TerminalConversation,
  line: string,
  budget: number,
  signal: AbortSignal,
): Promise<void> {
  const [name = "", ...words] = line.trim().split(/\s+/);
  const path = line.trim().slice(name.length).trim();
  const needsPath = ["/file", "/save", "/open"].includes(name);
  if (needsPath && words.length === 0) throw new SiskinError(`${name} needs a path`);
  if (name === "/file") {
    const { tokens, note } = await conversation.read(path, budget, signal);
    if (note !== undefined) process.stderr.write(`siskin: ${note}\n`);
    process.stderr.write(`siskin: read ${tokens} tokens of ${path}; the conversation begins anew\n`);
  } else if (name === "/save") await conversation.save(path);
  else if (name === "/open") await conversation.open(path);
  else if (name === "/clear") conversation.clear();
  else if (name === "/help") process.stdout.write(HELP);
  else if (name === "/show") {
    if (!conversation.kept) throw new SiskinError("There is no document to show: read one by /file PATH");
    process.stdout.write(`${paintHeatMap(conversation.kept, hasColours())}\n`);
  } else throw new SiskinError(`There is no ${name}; /help says what there is`);
}

/** What Tab offers: commands, and behind those that take a path the files that begin so. */
function completer(line: string): [string[], string] {
  const [, path] = /^\/(?:file|save|open)\s+(.*)$/.exec(line) ?? [];
  if (path === undefined) return [line.startsWith("/") ? COMMANDS.filter((name) => name.startsWith(line)) : [], line];
  const folder = path.endsWith("/") ? path : dirname(path);
  const begun = path.endsWith("/") ? "" : basename(path);
  try {
    const entries = readdirSync(folder, { withFileTypes: true }).filter(({ name }) => name.startsWith(begun));
    const shown = (name: string) => (folder === "." && !path.startsWith("./") ? name : join(folder, name));
    return [entries.map((entry) => `${shown(entry.name)}${entry.isDirectory() ? "/" : ""}`), path];
  } catch {
    return [[], path];
  }
}
