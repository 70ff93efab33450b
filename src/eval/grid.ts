/** The cells of an evaluation: every task at every length with every method, and how much each keeps. */
import type { Scheme } from "../cache/cache.ts";
import type { CacheForm } from "../cache/page-form.ts";
import { ArgumentError } from "../errors.ts";
import { type Kind, kinds } from "./kinds.ts";

/** How much of the cache stays: entries of every head while reading in chunks, or the part removed after one pass. */
export type Kept =
  | { readonly budget: number; readonly ratio?: undefined }
  | { readonly ratio: number; readonly budget?: undefined };

/** One measurement. */
export interface Cell {
  readonly task: Kind;
  /** Tokens of the document. */
  readonly length: number;
  /** A method's name, or `all`, which keeps the whole cache. */
  readonly method: string;
  /** Undefined for `all`. */
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
  readonly tasks: readonly Kind[];
  readonly lengths: readonly number[];
  readonly methods: readonly string[];
  readonly budgets: readonly number[];
  readonly ratios: readonly number[];
  readonly questions: readonly Cell["question"][];
  readonly scheme: Scheme;
  readonly cache: CacheForm;
  readonly chunkLength: number;
}

/** @throws ArgumentError for a grid without cells, or a task that is not there */
export function cellsOf(grid: Grid): Cell[] {
  for (const task of grid.tasks) {
    if (!(task in kinds)) {
      throw new ArgumentError(`There is no task ${JSON.stringify(task)}; there are ${Object.keys(kinds).join(", ")}`);
    }
  }
  const kept: Kept[] = [...grid.budgets.map((budget) => ({ budget })), ...grid.ratios.map((ratio) => ({ ratio }))];
  const { scheme, cache, chunkLength } = grid;
  const common = { scheme, ...(cache === "q8" && { cache }), chunkLength };
  const cells = grid.lengths.flatMap((length) =>
    grid.questions.flatMap((question) =>
      grid.methods.flatMap((method) =>
        // The whole cache does not depend on what is known.
        (method === "all" ? (question === grid.questions[0] ? [undefined] : []) : kept).flatMap((kept) =>
          grid.tasks.map((task): Cell => ({ task, length, method, kept, question, ...common })),
        ),
      ),
    ),
  );
  if (cells.length === 0) throw new ArgumentError("There is nothing to measure: a list is empty");
  return cells;
}

/** How a cell's method is called in tables and plots. */
export function labelOf({ method, cache }: Cell): string {
  return cache === "q8" ? `${method}, 8-bit cache` : method;
}
