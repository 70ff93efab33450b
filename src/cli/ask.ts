/** `siskin ask`: reads documents once for all questions and answers them. */
import process from "node:process";
import { WriteStream } from "node:tty";
import type { Command } from "commander";
import { SiskinError } from "../errors.ts";
import { type LoadProgress, loadModel } from "../runtimes/node.ts";
import type { Model } from "../session/model.ts";
import type { ReadProgress } from "../session/read.ts";
import type { Session } from "../session/session.ts";
import { type Asking, collectAnswers, type FullAnswer, figures, printAnswers } from "./answers.ts";
import { type AskArguments, withAsk } from "./ask-options.ts";
import { type Documents, gathered, openDocuments, questionsOf, sorted } from "./documents.ts";
import { readBytes, writeBytes } from "./files.ts";
import { heatMap } from "./heat-map.ts";
import { heatMapPage } from "./heat-map-page.ts";
import { paintHeatMap } from "./heat-map-terminal.ts";
import { Progress } from "./progress.ts";
import { Quotes } from "./quotes.ts";

/** Tokens read at once with --whole. */
const PIECE = 512;

/** Adds the command. @param signal stops it */
export function addAsk(program: Command, signal: AbortSignal): void {
  withAsk(program).action((words: string[], options: AskArguments) => ask(words, options, signal));
}

async function ask(words: readonly string[], options: AskArguments, signal: AbortSignal): Promise<void> {
  const { open, save, show, html, threads, weights } = options;
  const given = await sorted(words);
  const questions = [
    ...given.questions,
    ...(options.questions === undefined ? [] : await questionsOf(options.questions)),
  ];
  const paths = [...given.paths, ...(options.document ?? [])];
  // A text that is piped in needs no word of it.
  if (paths.length === 0 && open === undefined && !process.stdin.isTTY) paths.push("-");
  if (paths.length === 0 && open === undefined) {
    throw new SiskinError("There is nothing to ask about: give a FILE, pipe a text in, or --open a capsule");
  }
  const painted = show !== undefined || html !== undefined;
  if (painted && paths.length === 0) {
    throw new SiskinError("--show and --html paint a document as it is read: give a FILE");
  }
  if (questions.length === 0 && save === undefined && !painted) {
    throw new SiskinError(
      "There is no question; without one, --save FILE keeps what was read and --show kept paints it",
    );
  }
  const progress = new Progress(options.progress === true);
  try {
    // What cannot be opened is said before a model is loaded.
    const documents = paths.length === 0 ? undefined : await openDocuments(paths, signal);
    for (const note of documents?.notes ?? []) process.stderr.write(`siskin: ${note}\n`);
    const capsule = open === undefined ? undefined : await readBytes(open);
    const onProgress = (loaded: LoadProgress) => progress.loading(loaded);
    const model = await loadModel(options.model, { threads, weights, signal, onProgress });
    try {
      const session = capsule
        ? opened(model, capsule, open!)
        : model.createSession({ scheme: options.scheme, cache: options.cache });
      const reading =
        documents && (await read(model, session, documents, questions, { ...options, painted }, progress, signal));
      progress.end();
      if (save !== undefined) await writeBytes(save, session.save());
      const map = reading?.tokens && heatMap(session, reading.tokens);
      if (map && show !== undefined) process.stdout.write(`${paintHeatMap(map, hasColours())}\n`);
      const quotes =
        reading?.text === undefined ? undefined : new Quotes(model, reading.text, reading.starts, reading.first);
      const asking: Asking = { drawing: drawingOf(options), notFound: options.notFound, quotes, signal };
      const answers = options.json
        ? await collectAnswers(session, questions, asking)
        : await printAnswers(session, questions, asking);
      if (options.json) printJson(answers, model, session, documents, options, reading?.seconds ?? 0);
      if (map && html !== undefined) {
        await writeBytes(html, new TextEncoder().encode(heatMapPage(map, answers, titleOf(documents!))));
      }
    } finally {
      model.dispose();
    }
  } finally {
    progress.end();
  }
}

/** A document that was read. */
interface Reading {
  readonly seconds: number;
  /** All of it, and its tokens where it was read as such. */
  readonly text: string | undefined;
  readonly tokens: Int32Array | undefined;
  readonly starts: Documents["starts"];
  /** The position of its first token. */
  readonly first: number;
}

/** Reads the documents. */
async function read(
  model: Model,
  session: Session,
  { names, text: given, starts }: Documents,
  questions: readonly string[],
  options: AskArguments & { readonly painted: boolean },
  progress: Progress,
  signal: AbortSignal,
): Promise<Reading> {
  const quoted = options.json === true || process.stdout.isTTY || options.quotes === true;
  // What is painted, or read whole, has to be there as a whole.
  const text = (options.painted || options.whole) && typeof given !== "string" ? await gathered(given) : given;
  const tokens =
    typeof text === "string" && (options.painted || options.whole) ? model.tokenizer.encode(text) : undefined;
  const first = session.absolutePosition === 0 ? model.frame.head.length : session.absolutePosition;
  const started = performance.now();
  const seconds = () => (performance.now() - started) / 1000;
  let last: ReadProgress | undefined;
  const onProgress = (state: ReadProgress) => {
    last = state;
    progress.reading(state, seconds());
  };
  let streamed = "";
  const kept = (async function* () {
    for await (const piece of text as AsyncIterable<string>) {
      if (quoted) streamed += piece;
      yield piece;
    }
  })();
  if (options.whole) await readWhole(model, session, tokens!, names, onProgress, signal);
  else {
    await session.read(tokens ?? (typeof text === "string" ? text : kept), {
      questions: questions.length > 0 ? questions : undefined,
      press: options.press,
      budget: options.budget,
      chunkLength: options.chunk,
      onProgress,
      signal,
    });
  }
  if (!last?.documentTokens) throw new SiskinError(`${names.join(", ")} holds nothing to read`);
  const taken = seconds();
  progress.read(last, taken, model.memory.peakBytes);
  const whole = typeof text === "string" ? text : streamed;
  return { seconds: taken, text: quoted ? whole : undefined, tokens, starts, first };
}

/** Reads all tokens and keeps them all. @throws SiskinError where the model's window does not hold them */
async function readWhole(
  model: Model,
  session: Session,
  document: Int32Array,
  names: readonly string[],
  onProgress: (state: ReadProgress) => void,
  signal: AbortSignal,
): Promise<void> {
  const { head } = model.frame;
  const { maxPositions } = model.config;
  const tokens = Int32Array.from([...head, ...document]);
  if (tokens.length >= maxPositions) {
    const sizes = `${tokens.length} tokens, and the window of ${model.name} ${maxPositions}`;
    throw new SiskinError(`${names.join(", ")} takes ${sizes}: leave out --whole`);
  }
  for (let next = 0; next < tokens.length; next += PIECE) {
    // Ctrl-C is heard between the pieces.
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
    session.prefill(tokens.subarray(next, next + PIECE));
    const tokensRead = Math.min(next + PIECE, tokens.length);
    onProgress({
      tokensRead,
      documentTokens: Math.max(0, tokensRead - head.length),
      tokensTotal: tokens.length,
      entries: session.cacheLength(0, 0),
      cacheBytes: session.byteLength,
    });
  }
}

function opened(model: Model, capsule: Uint8Array, path: string): Session {
  try {
    return model.openSession(capsule);
  } catch (error) {
    throw new SiskinError(`${path}: ${(error as Error).message}`);
  }
}

/** Writes one object. @param seconds that reading took */
function printJson(
  answers: readonly FullAnswer[],
  model: Model,
  session: Session,
  documents: Documents | undefined,
  { whole, press, budget, scheme, cache, open }: AskArguments,
  seconds: number,
): void {
  const result = {
    answers,
    model: model.name,
    documents: documents?.names ?? [],
    ...(open === undefined ? { scheme, cache } : { capsule: open }),
    press: whole ? null : press.name,
    budget: whole || press.ownBudget ? null : (budget ?? 512),
    ...figures(session, model),
    seconds: Number(seconds.toFixed(3)),
  };
  process.stdout.write(`${JSON.stringify(result)}\n`);
}

function drawingOf({ maxTokens, temperature, topK, topP, seed }: AskArguments) {
  return { maxTokens, temperature, ...(topK !== undefined && { topK }), topP, seed };
}

function titleOf({ names }: Documents): string {
  return names.map((name) => name.replace(/^.*[\\/]/, "")).join(", ");
}

/** Whether standard output takes 256 colours. FORCE_COLOR, NO_COLOR and TERM are heard, as everywhere in Node. */
function hasColours(): boolean {
  if (!process.stdout.isTTY && process.env.FORCE_COLOR === undefined) return false;
  // 8 bits for 256 colours. The method looks at the environment alone, and standard output may be a pipe without it.
  return WriteStream.prototype.getColorDepth() >= 8;
}
