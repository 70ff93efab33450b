/** `siskin ask`: reads a document once for all questions and answers them. */
import process from "node:process";
import { type Command, Option } from "commander";
import type { Scheme } from "../cache/cache.ts";
import type { CacheForm } from "../cache/page-form.ts";
import { SiskinError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import { loadModel } from "../node.ts";
import { finch } from "../press/finch.ts";
import { siskin } from "../press/siskin.ts";
import type { ReadProgress } from "../session/read.ts";
import type { Session } from "../session/session.ts";
import { openDocument } from "./document.ts";
import { type ModelArguments, positiveInteger, withModel, withThreads } from "./options.ts";
import { Progress } from "./progress.ts";

interface AskArguments extends ModelArguments {
  readonly document: string;
  readonly budget: number;
  readonly chunk: number;
  readonly press: "siskin" | "finch";
  readonly scheme: Scheme;
  readonly cache: CacheForm;
  readonly json?: true;
  readonly progress?: true;
}

/** What a reading came to: what --json prints beside the answers. */
interface Reading {
  /** Of the document. */
  readonly tokens: number;
  /** That reading took. */
  readonly seconds: number;
  /** That every head holds. */
  readonly cacheEntries: number;
  readonly cacheBytes: number;
  /** The most memory that the core had in use at once. */
  readonly peakBytes: number;
}

/** Adds the command. @param signal stops it */
export function addAsk(program: Command, signal: AbortSignal): void {
  const command = program
    .command("ask")
    .description("read a document of any length once and answer questions about it")
    .argument("<questions...>", "what to ask; all questions share one reading")
    .requiredOption("--document <file>", "a text file, or - for standard input");
  withModel(command)
    .option("--budget <entries>", "cache entries that survive each chunk", positiveInteger, 512)
    .option("--chunk <tokens>", "tokens read at once", positiveInteger, 512)
    .addOption(new Option("--press <name>", "how entries are chosen").choices(["siskin", "finch"]).default("siskin"))
    .addOption(
      new Option("--scheme <name>", "whether survivors move together or stay where they stood")
        .choices(["contiguous", "original"])
        .default("contiguous"),
    )
    .addOption(new Option("--cache <form>", "how the cache is held").choices(["f32", "q8"]).default("f32"));
  withThreads(command)
    .option("--json", "print answers and figures as one JSON object")
    .option("--progress", "show progress where standard error is no terminal, too")
    .action((questions: string[], options: AskArguments) => ask(questions, options, signal));
}

async function ask(questions: readonly string[], options: AskArguments, signal: AbortSignal): Promise<void> {
  const progress = new Progress(options.progress === true);
  const document = await openDocument(options.document, signal);
  try {
    const { threads } = options;
    const model = await loadModel(options.model, { threads, signal, onProgress: (loaded) => progress.loading(loaded) });
    try {
      const session = model.createSession({ scheme: options.scheme, cache: options.cache });
      const reading = await read(session, document, questions, options, progress, signal);
      if (options.json) await printJson(session, questions, reading, signal);
      else await print(session, questions, signal);
    } finally {
      model.dispose();
    }
  } finally {
    progress.end();
  }
}

/** Reads the document and says what that came to. */
async function read(
  session: Session,
  document: string | AsyncIterable<string>,
  questions: readonly string[],
  options: AskArguments,
  progress: Progress,
  signal: AbortSignal,
): Promise<Reading> {
  const { model } = session;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  let last: ReadProgress | undefined;
  await session.read(document, {
    questions,
    press: options.press === "finch" ? finch() : siskin(),
    budget: options.budget,
    chunkLength: options.chunk,
    onProgress: (state) => {
      last = state;
      progress.reading(state, seconds());
    },
    signal,
  });
  const tokens = session.absolutePosition - model.prompt.head.length;
  if (!last || tokens === 0) throw new SiskinError("The document is empty");
  const reading = summary(session, model, tokens, seconds());
  progress.read(last, reading.seconds, reading.peakBytes);
  return reading;
}

function summary(session: Session, model: Model, tokens: number, seconds: number): Reading {
  return {
    tokens,
    seconds: Number(seconds.toFixed(3)),
    cacheEntries: session.cacheLength(0, 0),
    cacheBytes: session.byteLength,
    peakBytes: model.memory.peakBytes,
  };
}

async function printJson(session: Session, questions: readonly string[], reading: Reading, signal: AbortSignal) {
  const answers: { question: string; answer: string }[] = [];
  for (const question of questions) {
    let answer = "";
    for await (const piece of session.ask(question, { signal })) answer += piece;
    answers.push({ question, answer });
  }
  process.stdout.write(`${JSON.stringify({ answers, ...reading })}\n`);
}

/** Writes each answer as it comes; below its question where there are several. */
async function print(session: Session, questions: readonly string[], signal: AbortSignal): Promise<void> {
  for (const [index, question] of questions.entries()) {
    if (questions.length > 1) process.stdout.write(`${index > 0 ? "\n" : ""}${question}\n`);
    for await (const piece of session.ask(question, { signal })) process.stdout.write(piece);
    process.stdout.write("\n");
  }
}
