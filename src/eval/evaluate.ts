/** Runs a grid's cells, those that are not done yet, and writes what they came to as Markdown, JSON and SVG. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Model } from "../session/model.ts";
import type { Cell } from "./grid.ts";
import { methodOf } from "./methods.ts";
import { plot } from "./plot.ts";
import { type Result, Results } from "./results.ts";
import { type MakePress, measure } from "./run.ts";
import { markdownTables } from "./table.ts";

/** How cells are run. */
export interface EvaluateOptions {
  /** Documents for each cell. */
  readonly samples: number;
  readonly seed: number;
  /** Where finished cells are kept and the reports written. */
  readonly folder?: string | undefined;
  /** Finds a cell's method by its name; default `methodOf`. */
  readonly methods?: ((name: string) => MakePress | undefined) | undefined;
  /** Called before each cell and after the last. */
  readonly onProgress?: ((done: number, total: number, next: Cell | undefined) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Measures cells in their order.
 * @returns a result for each cell, in the cells' order
 * @throws ArgumentError for a method that is not there; FormatError for a broken file of results; what `signal` gives
 */
export async function evaluate(model: Model, cells: readonly Cell[], options: EvaluateOptions): Promise<Result[]> {
  const { samples, seed, folder, methods = methodOf, onProgress, signal } = options;
  // A name that is not there is said before the first hour has gone.
  const makers = new Map(cells.map(({ method }) => [method, methods(method)]));
  if (folder !== undefined) await mkdir(folder, { recursive: true });
  const path = folder === undefined ? undefined : join(folder, "cells.jsonl");
  const finished = await Results.open(path, { model: model.fingerprint, seed, samples });
  const results: Result[] = [];
  for (const [index, cell] of cells.entries()) {
    signal?.throwIfAborted();
    onProgress?.(index, cells.length, cell);
    let result = finished.get(cell);
    if (!result) {
      result = { cell, ...(await measure(model, cell, makers.get(cell.method), { samples, seed, signal })) };
      await finished.add(result);
    }
    results.push(result);
  }
  onProgress?.(cells.length, cells.length, undefined);
  if (folder !== undefined) await writeReports(folder, results);
  return results;
}

async function writeReports(folder: string, results: readonly Result[]): Promise<void> {
  await writeFile(join(folder, "results.md"), markdownTables(results));
  await writeFile(join(folder, "results.json"), `${JSON.stringify(results, null, 2)}\n`);
  await writeFile(join(folder, "results.svg"), plot(results));
}
