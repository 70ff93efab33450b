/** `siskin eval`: measures how many answers stay right when the cache is compressed. */
import process from "node:process";
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Scheme } from "../cache/cache.ts";
import type { CacheForm } from "../cache/page-form.ts";
import type { Cell, Grid } from "../eval/grid.ts";
import { loadModel } from "../runtimes/node.ts";
import { readText } from "./files.ts";
import { type ModelArguments, numberBetween, positiveInteger, seed, withModel, withThreads } from "./options.ts";
import { pressFromFile } from "./press-file.ts";
import { Progress } from "./progress.ts";

interface EvalArguments extends ModelArguments {
  readonly tasks?: string[];
  readonly questions?: string;
  readonly lengths?: number[];
  readonly budgets?: number[];
  readonly ratios?: number[];
  readonly methods?: string[];
  readonly press?: string;
  readonly baselines: boolean;
  readonly question: Cell["question"] | "both";
  readonly scheme: Scheme;
  readonly cache: CacheForm;
  readonly chunk: number;
  readonly documents?: number;
  readonly seed: number;
  readonly out?: string;
  readonly quick?: true;
  readonly progress?: true;
}

/** What is measured when nothing else is said, and with --quick. */
const STANDARD = {
  tasks: ["needle", "keys", "values", "facts", "records", "chains"],
  lengths: [2_000, 4_096, 16_384],
  methods: ["all", "siskin", "finch", "snapkv", "streamingllm"],
  documents: 10,
};
const QUICK = {
  tasks: ["keys", "facts"],
  lengths: [2_000],
  methods: ["all", "siskin", "finch", "streamingllm"],
  documents: 2,
};
const BUDGETS = [128, 512];

/** Adds the command. @param signal stops it */
export function addEval(program: Command, signal: AbortSignal): void {
  const command = program
    .command("eval")
    .description("measure how many answers stay right when the cache is compressed")
    .option(
      "--tasks <names>",
      `what is asked: ${STANDARD.tasks.join(", ")}, ruler for RULER's tasks or one of them, paragraph, article or collection`,
      list(String),
    )
    .option(
      "--questions <file>",
      "ask the questions of a file: SQuAD, HotpotQA, or lines of JSON with context, question and answers",
    )
    .option("--lengths <tokens>", "lengths of the documents", list(positiveInteger))
    .option("--budgets <entries>", "cache entries that survive each chunk", list(positiveInteger))
    .option("--ratios <parts>", "instead of budgets: parts removed after one pass", list(numberBetween(0, 0.999)))
    .option("--methods <names>", "presses by name, and all, which keeps the whole cache", list(String))
    .option("--press <file>", "a press of your own beside them: the default export of a module")
    .option("--no-baselines", "leave out the right passage alone, and the passages that BM25 finds");
  withThreads(
    withModel(command)
      .addOption(
        new Option("--question <when>", "whether it is known while reading; in chunks only siskin and finch look at it")
          .choices(["known", "unknown", "both"])
          .default("known"),
      )
      .addOption(
        new Option("--scheme <name>", "whether survivors move together or stay where they stood")
          .choices(["contiguous", "original"])
          .default("contiguous"),
      )
      .addOption(new Option("--cache <form>", "how the cache is held").choices(["f32", "q8"]).default("f32"))
      .option("--chunk <tokens>", "tokens read at once", positiveInteger, 512)
      .option("--documents <number>", "documents for each task, or questions of the file", positiveInteger)
      .option("--seed <number>", "the same seed gives the same documents", seed, 0),
  )
    .option("--out <folder>", "keep what every document came to, Markdown, JSON and a plot; a second run goes on there")
    .option("--quick", "a small table in less than two minutes")
    .option("--progress", "show progress where standard error is no terminal, too")
    .action((options: EvalArguments) => runEval(options, signal));
}

async function runEval(options: EvalArguments, signal: AbortSignal): Promise<void> {
  const preset = options.quick ? QUICK : STANDARD;
  const ofFile = options.questions === undefined ? preset.tasks : ["questions"];
  const { tasks = ofFile, lengths = preset.lengths, documents = preset.documents, seed, threads } = options;
  const { ratios = [], budgets = ratios.length > 0 ? [] : BUDGETS } = options;
  const questions: Grid["questions"] = options.question === "both" ? ["known", "unknown"] : [options.question];
  const { scheme, cache, chunk: chunkLength } = options;
  const own = options.press === undefined ? undefined : await pressFromFile(options.press);
  const progress = new Progress(options.progress === true);
  // Prose, words and plotting are loaded by those who measure.
  const { BASELINES } = await import("../eval/baselines.ts");
  const { parseCorpus } = await import("../eval/corpus.ts");
  const { evaluate } = await import("../eval/evaluate.ts");
  const { cellsOf } = await import("../eval/grid.ts");
  const { methodOf } = await import("../eval/methods.ts");
  const { markdownTables } = await import("../eval/table.ts");
  const named = [...(options.methods ?? preset.methods), ...(own ? [own.name] : [])];
  const methods = [...new Set([...named, ...(options.baselines ? BASELINES : [])])];
  const cells = cellsOf({ tasks, lengths, methods, budgets, ratios, questions, scheme, cache, chunkLength });
  const corpus =
    options.questions === undefined ? undefined : parseCorpus(await readText(options.questions), options.questions);
  const started = performance.now();
  try {
    const model = await loadModel(options.model, { threads, signal, onProgress: (loaded) => progress.loading(loaded) });
    try {
      const results = await evaluate(model, cells, {
        documents,
        seed,
        corpus,
        folder: options.out,
        methods: (name) => (name === own?.name ? own.make : methodOf(name)),
        signal,
        onProgress: (done, total, fresh, next) =>
          progress.measuring(done, total, fresh, (performance.now() - started) / 1000, next && describe(next)),
      });
      progress.end();
      process.stdout.write(markdownTables(results));
    } finally {
      model.dispose();
    }
  } finally {
    progress.end();
  }
}

function describe({ method, kept, task, length }: Cell): string {
  const amount = kept ? ` ${kept.budget ?? kept.ratio}` : "";
  return `${method}${amount}, ${task}${length === undefined ? "" : ` in ${length} tokens`}`;
}

/** Values separated by commas. @throws what `parse` does, InvalidArgumentError for none */
function list<T>(parse: (text: string) => T): (text: string) => T[] {
  return (text) => {
    const parts = text.split(",").map((part) => part.trim());
    if (parts.includes("")) throw new InvalidArgumentError("It should be a list such as a,b,c.");
    return parts.map(parse);
  };
}
