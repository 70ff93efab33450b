/** Runs a grid's cells, document by document, those that are not done yet, and writes what they came to as Markdown, JSON and SVG. */
import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Model } from "../session/model.ts";
import { isBaseline } from "./baselines.ts";
import type { Corpus } from "./corpus.ts";
import type { Cell } from "./grid.ts";
import { methodOf } from "./methods.ts";
import { plot } from "./plot.ts";
import { type Result, Results, resultOf } from "./results.ts";
import { type Attempt, attempt, type MakePress } from "./run.ts";
import { Suite } from "./suite.ts";
import { markdownTables } from "./table.ts";

/** How cells are run. */
export interface EvaluateOptions {
  /** Documents, or questions of a file, for each cell; fewer where a file has fewer. */
  readonly documents: number;
  readonly seed: number;
  /** A file of questions, for the tasks that need one. */
  readonly corpus?: Corpus | undefined;
  /** Where finished documents are kept and the reports written. */
  readonly folder?: string | undefined;
  /** Finds a cell's method by its name; default `methodOf`. */
  readonly methods?: ((name: string) => MakePress | undefined) | undefined;
  /** Called before each document and after the last. @param fresh how many of those done were measured now */
  readonly onProgress?: ((done: number, total: number, fresh: number, next: Cell | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Measures cells in their order.
 * @returns a result for each cell, in the cells' order
 * @throws ArgumentError for a method or task that is not there; FormatError for a broken file of results; what `signal` gives
 */
export async function evaluate(model: Model, cells: readonly Cell[], options: EvaluateOptions): Promise<Result[]> {
  const { documents, seed, corpus, folder, methods = methodOf, onProgress, signal } = options;
  // A name that is not there is said before the first hour has gone.
  const makers = new Map(cells.map(({ method }) => [method, isBaseline(method) ? undefined : methods(method)]));
  const suite = new Suite(model.tokenizer, corpus);
  const counts = cells.map(({ task }) => Math.min(documents, suite.available(task)));
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (folder !== undefined) await mkdir(folder, { recursive: true });
  const path = folder === undefined ? undefined : join(folder, "documents.jsonl");
  const hash = corpus && hashOf(corpus);
  const finished = await Results.open(path, { model: model.fingerprint, seed, corpus: hash });
  const results: Result[] = [];
  let done = 0;
  let fresh = 0;
  for (const [place, cell] of cells.entries()) {
    const attempts: Attempt[] = [];
    for (let index = 0; index < counts[place]!; index++) {
      signal?.throwIfAborted();
      onProgress?.(done++, total, fresh, cell);
      let found = finished.get(cell, index);
      if (found === undefined) {
        const task = suite.make(cell.task, cell.length, seed, index);
        found = (await attempt(model, cell, makers.get(cell.method), task, signal)) ?? null;
        await finished.add(cell, index, found);
        fresh++;
      }
      if (found) attempts.push(found);
    }
    results.push(resultOf(cell, attempts));
  }
  onProgress?.(total, total, fresh, undefined);
  if (folder !== undefined) await writeReports(folder, results);
  return results;
}

/** What a corpus says, wherever its file lies. */
function hashOf({ passages, questions }: Corpus): string {
  return createHash("sha256")
    .update(JSON.stringify([passages, questions]))
    .digest("hex")
    .slice(0, 16);
}

async function writeReports(folder: string, results: readonly Result[]): Promise<void> {
  await writeFile(join(folder, "results.md"), markdownTables(results));
  await writeFile(join(folder, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  await writeFile(join(folder, "results.svg"), plot(results));
}
