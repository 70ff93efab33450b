/** `siskin ask`: reads a document once for all questions and answers them. */
import { basename } from "node:path";
import process from "node:process";
import { text as wholeText } from "node:stream/consumers";
import { WriteStream } from "node:tty";
import { type Command, Option } from "commander";
import type { Scheme } from "../cache/cache.ts";
import type { CacheForm } from "../cache/page-form.ts";
import { SiskinError } from "../errors.ts";
import type { PassPress, QuestionPress } from "../press/press.ts";
import { press } from "../press/registry.ts";
import { readingPress } from "../press/tools/check.ts";
import { type LoadProgress, loadModel } from "../runtimes/node.ts";
import type { Model } from "../session/model.ts";
import type { ReadProgress } from "../session/read.ts";
import type { Session } from "../session/session.ts";
import { openDocument, readBytes, writeBytes } from "./files.ts";
import { type HeatMap, heatMap } from "./heat-map.ts";
import { type Answer, heatMapPage } from "./heat-map-page.ts";
import { paintHeatMap } from "./heat-map-terminal.ts";
import { type ModelArguments, positiveInteger, withModel, withThreads } from "./options.ts";
import { Progress } from "./progress.ts";

interface AskArguments extends ModelArguments {
  readonly document?: string;
  readonly open?: string;
  readonly save?: string;
  readonly budget?: number;
  readonly chunk: number;
  readonly press: PassPress | QuestionPress;
  readonly scheme: Scheme;
  readonly cache: CacheForm;
  readonly show?: "kept";
  readonly html?: string;
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
    .option(
      "--budget <entries>",
      "cache entries that every head keeps behind each chunk (default: 512, and none for a method that says so itself)",
      positiveInteger,
    )
    .option("--chunk <tokens>", "tokens read at once", positiveInteger, 512)
    .addOption(
      new Option("--press <name>", "how entries are chosen: finch, snapkv, kvzip or any other of docs/presses.md")
        .default(press("siskin"), "siskin")
        .argParser((name) => readingPress(press(name))),
    )
    .addOption(
      new Option(
        "--scheme <name>",
        "whether entries that are kept move together, for text of any length, or stay where they stood",
      )
        .choices(["contiguous", "original"])
        .default("contiguous")
        .conflicts("open"),
    )
    .addOption(
      new Option("--cache <form>", "how the cache is held; q8 takes little over a quarter of the memory")
        .choices(["f32", "q8"])
        .default("f32")
        .conflicts("open"),
    );
  withThreads(command)
    .addOption(
      new Option("--show <what>", "paint the document, brighter where more heads kept it")
        .choices(["kept"])
        .conflicts("json"),
    )
    .option("--html <file>", "write the same picture as a page, with the answers")
    .option("--json", "print answers and figures as one JSON object")
    .option("--progress", "show progress where standard error is no terminal, too")
    .action((questions: string[], options: AskArguments) => ask(questions, options, signal));
}

async function ask(questions: readonly string[], options: AskArguments, signal: AbortSignal): Promise<void> {
  const { document, open, save, show, html, threads, weights } = options;
  if (document === undefined && open === undefined) {
    throw new SiskinError("There is nothing to ask about: give --document FILE, or --open FILE");
  }
  const painted = show !== undefined || html !== undefined;
  if (painted && document === undefined) {
    throw new SiskinError("--show and --html paint a document as it is read: give --document FILE");
  }
  if (questions.length === 0 && save === undefined && !painted) {
    throw new SiskinError(
      "There is no question; without one, --save FILE keeps what was read and --show kept paints it",
    );
  }
  const progress = new Progress(options.progress === true);
  try {
    // What cannot be opened is said before a model is loaded.
    const opened = document === undefined ? undefined : await openDocument(document, signal);
    // What is painted has to be there as a whole.
    const text = painted && typeof opened === "object" ? await wholeText(opened) : opened;
    const capsule = open === undefined ? undefined : await readBytes(open);
    const onProgress = (loaded: LoadProgress) => progress.loading(loaded);
    const model = await loadModel(options.model, { threads, weights, signal, onProgress });
    try {
      const { scheme, cache } = options;
      const session = capsule ? model.openSession(capsule) : model.createSession({ scheme, cache });
      const tokens = painted ? model.tokenizer.encode(text as string) : undefined;
      const seconds =
        text === undefined ? 0 : await read(model, session, tokens ?? text, questions, options, progress, signal);
      progress.end();
      if (save !== undefined) await writeBytes(save, session.save());
      const map = tokens && heatMap(session, tokens);
      if (map && show !== undefined) process.stdout.write(`${paintHeatMap(map, hasColours())}\n`);
      const answers = options.json
        ? await printJson(model, session, questions, seconds, signal)
        : await print(session, questions, signal);
      if (map && html !== undefined) await writePage(html, map, answers, document!);
    } finally {
      model.dispose();
    }
  } finally {
    progress.end();
  }
}

/** Reads the document. @returns seconds that it took */
async function read(
  model: Model,
  session: Session,
  document: string | Int32Array | AsyncIterable<string>,
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
    press: options.press,
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
  progress.read(last, taken, model.memory.peakBytes);
  return taken;
}

/** Writes one object. @param seconds that reading took @returns the answers */
async function printJson(
  model: Model,
  session: Session,
  questions: readonly string[],
  seconds: number,
  signal: AbortSignal,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const question of questions) {
    let answer = "";
    for await (const piece of session.ask(question, { signal })) answer += piece;
    answers.push({ question, answer });
  }
  const result = {
    answers,
    // Of the document, without the prompt's head.
    tokens: session.absolutePosition - model.frame.head.length,
    seconds: Number(seconds.toFixed(3)),
    cacheEntries: session.cacheLength(0, 0),
    cacheBytes: session.byteLength,
    peakBytes: model.memory.peakBytes,
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
  return answers;
}

/** Writes each answer as it comes; below its question where there are several. @returns the answers */
async function print(session: Session, questions: readonly string[], signal: AbortSignal): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (const [index, question] of questions.entries()) {
    if (questions.length > 1) process.stdout.write(`${index > 0 ? "\n" : ""}${question}\n`);
    let answer = "";
    for await (const piece of session.ask(question, { signal })) {
      process.stdout.write(piece);
      answer += piece;
    }
    process.stdout.write("\n");
    answers.push({ question, answer });
  }
  return answers;
}

/** Writes the heat map's page. @param document as --document names it */
async function writePage(path: string, map: HeatMap, answers: readonly Answer[], document: string): Promise<void> {
  const title = document === "-" ? "Standard input" : basename(document);
  await writeBytes(path, new TextEncoder().encode(heatMapPage(map, answers, title)));
}

/** Whether standard output takes 256 colours. FORCE_COLOR, NO_COLOR and TERM are heard, as everywhere in Node. */
function hasColours(): boolean {
  if (!process.stdout.isTTY && process.env.FORCE_COLOR === undefined) return false;
  // 8 bits for 256 colours. The method looks at the environment alone, and standard output may be a pipe without it.
  return WriteStream.prototype.getColorDepth() >= 8;
}
