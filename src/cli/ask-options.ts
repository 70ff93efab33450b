/** What `siskin ask` takes. */
import { type Command, Option } from "commander";
import type { Scheme } from "../cache/cache.ts";
import type { CacheForm } from "../cache/page-form.ts";
import type { PassPress } from "../press/press.ts";
import { press } from "../press/registry.ts";
import { checkPress } from "../press/tools/check-press.ts";
import {
  type DrawingArguments,
  type ModelArguments,
  numberBetween,
  positiveInteger,
  withDrawing,
  withModel,
  withThreads,
} from "./options.ts";

export interface AskArguments extends ModelArguments, DrawingArguments {
  readonly document?: string[];
  readonly questions?: string;
  readonly open?: string;
  readonly save?: string;
  readonly budget?: number;
  readonly chunk: number;
  readonly whole?: true;
  readonly press: PassPress;
  readonly scheme: Scheme;
  readonly cache: CacheForm;
  readonly notFound: number;
  readonly quotes?: true;
  readonly show?: "kept";
  readonly html?: string;
  readonly json?: true;
  readonly progress?: true;
}

/** Adds the command with its options. */
export function withAsk(program: Command): Command {
  const command = program
    .command("ask")
    .description("read documents of any length once and answer questions about them")
    .argument("[words...]", "questions, and files of text, PDF or HTML; all questions share one reading")
    .option(
      "--document <file>",
      "a file, or - for standard input, which is read too where nothing else is named",
      collect,
    )
    .option("--questions <file>", "questions from a file, one a line")
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
      new Option("--whole", "keep all of a document that the model's window holds").conflicts([
        "budget",
        "press",
        "open",
      ]),
    )
    .addOption(
      new Option("--press <name>", "how entries are chosen: finch, snapkv, kvzip or any other of docs/presses.md")
        .default(press("siskin"), "siskin")
        .argParser(readingPress),
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
  return withDrawing(withThreads(command))
    .option(
      "--not-found <part>",
      "say so of answers that the model holds less likely than this",
      numberBetween(0, 1),
      0,
    )
    .option("--quotes", "show what each answer looked at where standard output is no terminal, too")
    .addOption(
      new Option("--show <what>", "paint the document, brighter where more heads kept it")
        .choices(["kept"])
        .conflicts("json"),
    )
    .option("--html <file>", "write the same picture as a page, with the answers")
    .option("--json", "print answers, quotes and figures as one JSON object")
    .option("--progress", "show progress where standard error is no terminal, too");
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}

/** A method by its name. @throws ArgumentError for one that compresses while decoding */
function readingPress(name: string): PassPress {
  const made = press(name);
  checkPress(made, ["score", "select", "model"], "press of ask");
  return made;
}
