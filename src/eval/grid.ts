/** The cells of an evaluation: every task at every length with every method, and how much each keeps. */
import type { Scheme } from "../cache/cache.ts";
import type { CacheForm } from "../cache/page-form.ts";
import { ArgumentError } from "../errors.ts";
import { hasOwnLength, taskNames } from "./suite.ts";

/** How much of the cache stays: entries of every head while reading in chunks, or the part removed after one pass. */
export type Kept =
  | { readonly budget: number; readonly ratio?: undefined }
  | { readonly ratio: number; readonly budget?: undefined };

/** One measurement. */
export interface Cell {
  readonly task: string;
  /** Tokens of the document; absent for the questions of a file, whose texts are as long as they are. */
  readonly length?: number;
  /** A press's name, or `all`, which keeps the whole cache, or a baseline. */
  readonly method: string;
  /** Undefined for `all` and `passage`. */
  readonly kept?: Kept | undefined;
  /** Whether the method knows the question while it chooses. */
  readonly question: "known" | "unknown";
  readonly scheme: Scheme;
  /** Absent for a cache in f32. */
  readonly cache?: "q8";
  /** Tokens read at once, where the document is read in chunks. */
  readonly chunkLength: number;
}

/** What to measure: lists are combined, each with each. */
export interface Grid {
  /** Names of tasks, and of groups of tasks. */
  readonly tasks: readonly string[];
  readonly lengths: readonly number[];
  readonly methods: readonly string[];
  readonly budgets: readonly number[];
  readonly ratios: readonly number[];
  readonly questions: readonly Cell["question"][];
  readonly scheme: Scheme;
  readonly cache: CacheForm;
  readonly chunkLength: number;
}

/** Methods that keep all they read. */
const WHOLE: ReadonlySet<string> = new Set(["all", "passage"]);
/** Methods for which it does not matter what is known while reading. */
const ONCE: ReadonlySet<string> = new Set([...WHOLE, "bm25"]);

/** @throws ArgumentError for a grid without cells, or a task that is not there */
export function cellsOf(grid: Grid): Cell[] {
  const tasks = taskNames(grid.tasks);
  const kept: Kept[] = [...grid.budgets.map((budget) => ({ budget })), ...grid.ratios.map((ratio) => ({ ratio }))];
  const { scheme, cache, chunkLength } = grid;
  const common = { scheme, ...(cache === "q8" && { cache }), chunkLength };
  const ofFile = tasks.filter(hasOwnLength);
  const made = tasks.filter((task) => !hasOwnLength(task));
  const groups = [
    ...(ofFile.length > 0 ? [{ tasks: ofFile }] : []),
    ...(made.length > 0 ? grid.lengths.map((length) => ({ tasks: made, length })) : []),
  ];
  const cells = groups.flatMap(({ tasks, ...length }) =>
    grid.questions.flatMap((question) =>
      grid.methods
        .filter((method) => question === grid.questions[0] || !ONCE.has(method))
        .flatMap((method) =>
          (WHOLE.has(method) ? [undefined] : kept).flatMap((kept) =>
            tasks.map((task): Cell => ({ task, ...length, method, kept, question, ...common })),
          ),
        ),
    ),
  );
  if (cells.length === 0) throw new ArgumentError("There is nothing to measure: a list is empty");
  return cells;
}

/** Whether a cell stands in the tables of a kind of question. */
export function belongsTo(cell: Cell, question: Cell["question"]): boolean {
  return cell.question === question || ONCE.has(cell.method);
}

const NAMES: Readonly<Record<string, string>> = { passage: "the right passage alone", bm25: "BM25 passages" };

/** How a cell's method is called in tables and plots. */
export function labelOf({ method, cache }: Cell): string {
  const name = NAMES[method] ?? method;
  return cache === "q8" ? `${name}, 8-bit cache` : name;
}
