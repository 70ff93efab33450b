/** `siskin ask`: reads a document once for all questions and answers them. */
import process from "node:process";
import { type Command, Option } from "commander";
import type { Scheme } from "../cache/cache.ts";
import type { CacheForm } from "../cache/page-form.ts";
import { SiskinError } from "../errors.ts";
import { type LoadProgress, loadModel } from "../node.ts";
import { finch } from "../press/finch.ts";
import { siskin } from "../press/siskin.ts";
import type { ReadProgress } from "../session/read.ts";
import type { Session } from "../session/session.ts";
import { openDocument, readBytes, writeBytes } from "./files.ts";
import { type ModelArguments, positiveInteger, withModel, withThreads } from "./options.ts";
import { Progress } from "./progress.ts";

interface AskArguments extends ModelArguments {
  readonly document?: string;
  readonly open?: string;
  readonly save?: string;
  readonly budget: number;
  readonly chunk: number;
  readonly press: "siskin" | "finch";
  readonly scheme: Scheme;
  readonly cache: CacheForm;
  readonly json?: true;
  readonly progress?: true;
}

/** Adds the command. @param signal stops it */
export function addAsk(program: Command, signal: AbortSignal): void {
  const command = program
    .command("ask")
    .description("read a document of any length once and answer questions about it")
    .argument("[questions...]", "what to ask; all questions share one reading")
    .option("--document <file>", "a text file, or - for standard input")
    .option("--save <file>", "keep what was read as a capsule; questions may come later")
    .option("--open <file>", "ask a capsule that --save has written; a document is read behind it");
  withModel(command)
    .option("--budget <entries>", "cache entries that survive each chunk", positiveInteger, 512)
    .option("--chunk <tokens>", "tokens read at once", positiveInteger, 512)
    .addOption(new Option("--press <name>", "how entries are chosen").choices(["siskin", "finch"]).default("siskin"))
    .addOption(
      new Option("--scheme <name>", "whether survivors move together or stay where they stood")
        .choices(["contiguous", "original"])
        .default("contiguous")
        .conflicts("open"),
    )
    .addOption(
      new Option("--cache <form>", "how the cache is held").choices(["f32", "q8"]).default("f32").conflicts("open"),
    );
  withThreads(command)
    .option("--json", "print answers and figures as one JSON object")
    .option("--progress", "show progress where standard error is no terminal, too")
    .action((questions: string[], options: AskArguments) => ask(questions, options, signal));
}

async function ask(questions: readonly string[], options: AskArguments, signal: AbortSignal): Promise<void> {
  const { document, open, save, threads, weights } = options;
  if (document === undefined && open === undefined) {
    throw new SiskinError("There is nothing to ask about: give --document FILE, or --open FILE");
  }
  if (questions.length === 0 && save === undefined) {
    throw new SiskinError("There is no question; without one, --save FILE keeps what was read");
  }
  const progress = new Progress(options.progress === true);
  try {
    // What cannot be opened is said before a model is loaded.
    const text = document === undefined ? undefined : await openDocument(document, signal);
    const capsule = open === undefined ? undefined : await readBytes(open);
    const onProgress = (loaded: LoadProgress) => progress.loading(loaded);
    const model = await loadModel(options.model, { threads, weights, signal, onProgress });
    try {
      const { scheme, cache } = options;
      const session = capsule ? model.openSession(capsule) : model.createSession({ scheme, cache });
      const seconds = text === undefined ? 0 : await read(session, text, questions, options, progress, signal);
      progress.end();
      if (save !== undefined) await writeBytes(save, session.save());
      if (options.json) await printJson(session, questions, seconds, signal);
      else await print(session, questions, signal);
    } finally {
      model.dispose();
    }
  } finally {
    progress.end();
  }
}

/** Reads the document. @returns seconds that it took */
async function read(
  session: Session,
  document: string | AsyncIterable<string>,
  questions: readonly string[],
  options: AskArguments,
  progress: Progress,
  signal: AbortSignal,
): Promise<number> {
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  let last: ReadProgress | undefined;
  await session.read(document, {
    questions: questions.length > 0 ? questions : undefined,
    press: options.press === "finch" ? finch() : siskin(),
    budget: options.budget,
    chunkLength: options.chunk,
    onProgress: (state) => {
      last = state;
      progress.reading(state, seconds());
    },
    signal,
  });
  const taken = seconds();
  if (!last?.documentTokens) throw new SiskinError("The document is empty");
  progress.read(last, taken, session.model.memory.peakBytes);
  return taken;
}

/** Writes one object. @param seconds that reading took */
async function printJson(
  session: Session,
  questions: readonly string[],
  seconds: number,
  signal: AbortSignal,
): Promise<void> {
  const answers: { question: string; answer: string }[] = [];
  for (const question of questions) {
    let answer = "";
    for await (const piece of session.ask(question, { signal })) answer += piece;
    answers.push({ question, answer });
  }
  const { model } = session;
  const result = {
    answers,
    // Of the document, without the prompt's head.
    tokens: session.absolutePosition - model.prompt.head.length,
    seconds: Number(seconds.toFixed(3)),
    cacheEntries: session.cacheLength(0, 0),
    cacheBytes: session.byteLength,
    peakBytes: model.memory.peakBytes,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

/** Writes each answer as it comes; below its question where there are several. */
async function print(session: Session, questions: readonly string[], signal: AbortSignal): Promise<void> {
  for (const [index, question] of questions.entries()) {
    if (questions.length > 1) process.stdout.write(`${index > 0 ? "\n" : ""}${question}\n`);
    for await (const piece of session.ask(question, { signal })) process.stdout.write(piece);
    process.stdout.write("\n");
  }
}
