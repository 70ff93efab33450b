/** Keeps finished cells as lines of JSON, so that a run that was stopped goes on where it was. */
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { FormatError } from "../errors.ts";
import type { Cell } from "./grid.ts";
import type { Measured } from "./run.ts";

/** A cell with what it came to. */
export interface Result extends Measured {
  readonly cell: Cell;
}

/** What results depend on beside their cells. */
interface Conditions {
  /** The model's fingerprint. */
  readonly model: string;
  readonly seed: number;
  readonly samples: number;
}

/** The finished cells in a file. */
export class Results {
  readonly #path: string | undefined;
  readonly #conditions: Conditions;
  readonly #found = new Map<string, Result>();

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
        const { key, ...result } = JSON.parse(line);
        results.#found.set(key, result);
      } catch {
        throw new FormatError(path!, "a line is no result", place);
      }
      place += Buffer.byteLength(line) + 1;
    }
    return results;
  }

  get(cell: Cell): Result | undefined {
    return this.#found.get(this.#key(cell));
  }

  async add(result: Result): Promise<void> {
    const key = this.#key(result.cell);
    this.#found.set(key, result);
    if (this.#path !== undefined) await appendFile(this.#path, `${JSON.stringify({ key, ...result })}\n`);
  }

  #key(cell: Cell): string {
    return JSON.stringify([this.#conditions, cell]);
  }
}

function absent(error: NodeJS.ErrnoException): string {
  if (error.code === "ENOENT") return "";
  throw error;
}
