/** Keeps what every document came to as lines of JSON, so that a run that was stopped goes on where it was. */
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { FormatError } from "../errors.ts";
import type { Cell } from "./grid.ts";
import type { Attempt } from "./run.ts";

/** What a cell came to, means over its documents. */
export interface Result {
  readonly cell: Cell;
  /** Documents measured; none where a task is nothing for a baseline. */
  readonly documents: number;
  /** The part of the answers that was right, 0 to 1. */
  readonly right: number;
  /** SQuAD's exact match and F1, where the task is scored so. */
  readonly exact?: number | undefined;
  readonly f1?: number | undefined;
  /** The part of the answers' own entries that survived reading, 0 to 1. */
  readonly evidence?: number | undefined;
  /** Entries of a head after reading. */
  readonly entries: number;
  readonly seconds: number;
}

/** A cell's result. @param attempts of its documents */
export function resultOf(cell: Cell, attempts: readonly Attempt[]): Result {
  const mean = (figure: "right" | "exact" | "f1" | "evidence" | "entries") => {
    const values = attempts.flatMap((attempt) => attempt[figure] ?? []);
    return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  return {
    cell,
    documents: attempts.length,
    right: mean("right") ?? 0,
    exact: mean("exact"),
    f1: mean("f1"),
    evidence: mean("evidence"),
    entries: mean("entries") ?? 0,
    seconds: attempts.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

/** What results depend on beside their cells. */
interface Conditions {
  /** The model's fingerprint. */
  readonly model: string;
  readonly seed: number;
  /** A hash of the file of questions. */
  readonly corpus?: string | undefined;
}

/** The attempts in a file. */
export class Results {
  readonly #path: string | undefined;
  readonly #conditions: Conditions;
  readonly #found = new Map<string, Attempt | null>();

  private constructor(path: string | undefined, conditions: Conditions) {
    this.#path = path;
    this.#conditions = conditions;
  }

  /**
   * Opens a file, which need not be there yet; without a path nothing is kept.
   * @throws FormatError for a line that is no result, but for a last one that was cut off, which is dropped
   */
  static async open(path: string | undefined, conditions: Conditions): Promise<Results> {
    const results = new Results(path, conditions);
    const text = path === undefined ? "" : await readFile(path, "utf8").catch(absent);
    const complete = text.slice(0, text.lastIndexOf("\n") + 1);
    if (path !== undefined && complete !== text) await writeFile(path, complete);
    let place = 0;
    for (const line of complete.split("\n").slice(0, -1)) {
      try {
        const { key, attempt } = JSON.parse(line);
        results.#found.set(key, attempt);
      } catch {
        throw new FormatError(path!, "a line is no result", place);
      }
      place += Buffer.byteLength(line) + 1;
    }
    return results;
  }

  /** @returns undefined for what has not been measured, null for what the cell's baseline has no text for */
  get(cell: Cell, index: number): Attempt | null | undefined {
    return this.#found.get(this.#key(cell, index));
  }

  /** @param attempt null: the cell's baseline has no text for this document */
  async add(cell: Cell, index: number, attempt: Attempt | null): Promise<void> {
    const key = this.#key(cell, index);
    this.#found.set(key, attempt);
    if (this.#path !== undefined) await appendFile(this.#path, `${JSON.stringify({ key, attempt })}\n`);
  }

  #key(cell: Cell, index: number): string {
    return JSON.stringify([this.#conditions, cell, index]);
  }
}

function absent(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "";
  throw error;
}
