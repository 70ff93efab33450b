/** Shows on standard error how far loading and reading have come. */
import process from "node:process";
import type { LoadProgress } from "../model/load-options.ts";
import type { ReadProgress } from "../session/read.ts";
import { bytes, count } from "./figures.ts";

/** Milliseconds from one line to the next: where it is written over, and where it is not. */
const TERMINAL_INTERVAL = 100;
const LINE_INTERVAL = 2000;

/** One line that is written over again on a terminal, and a line now and then elsewhere. */
export class Progress {
  readonly #terminal = process.stderr.isTTY === true;
  readonly #shown: boolean;
  #lineShown = false;
  #lastLine = performance.now();

  /** @param always whether to show progress where standard error is no terminal too */
  constructor(always: boolean) {
    this.#shown = this.#terminal || always;
  }

  loading({ stage, bytesRead, bytesTotal }: LoadProgress): void {
    this.#line(`${stage}ing ${bytes(bytesRead)} of ${bytes(bytesTotal)}`);
  }

  /** @param seconds since reading began */
  reading({ tokensRead, tokensTotal, entries, cacheBytes }: ReadProgress, seconds: number): void {
    const total = tokensTotal === undefined ? "" : ` of ${count(tokensTotal)}`;
    const left = tokensTotal === undefined ? "" : `, ${timeLeft(tokensRead, tokensTotal, seconds)}`;
    this.#line(
      `read ${count(tokensRead)}${total} tokens, ${speed(tokensRead, seconds)}, ${cache(entries, cacheBytes)}${left}`,
    );
  }

  /** The last word on a reading, in place of the line. @param peakBytes the most memory that was in use at once */
  read({ tokensRead, entries, cacheBytes }: ReadProgress, seconds: number, peakBytes: number): void {
    this.#clear();
    if (!this.#shown) return;
    const time = `${seconds.toFixed(1)} s, ${speed(tokensRead, seconds)}`;
    process.stderr.write(
      `read ${count(tokensRead)} tokens in ${time}; ${cache(entries, cacheBytes)}; memory at most ${bytes(peakBytes)}\n`,
    );
  }

  /**
   * @param fresh how many of those done were measured in this run, in so many seconds
   * @param next what is measured now; undefined at the end
   */
  measuring(done: number, total: number, fresh: number, seconds: number, next: string | undefined): void {
    const left = fresh > 0 ? `, ${timeLeft(fresh, fresh + total - done, seconds)}` : "";
    this.#line(`${done} of ${total} measured${left}${next === undefined ? "" : `; ${next}`}`);
  }

  /** Takes the line away. */
  end(): void {
    this.#clear();
  }

  #line(text: string): void {
    const interval = this.#terminal ? TERMINAL_INTERVAL : LINE_INTERVAL;
    if (!this.#shown || performance.now() - this.#lastLine < interval) return;
    this.#lastLine = performance.now();
    if (this.#terminal) {
      // A line that wraps could not be written over.
      process.stderr.write(`\r\x1b[K${text.slice(0, (process.stderr.columns || 80) - 1)}`);
      this.#lineShown = true;
    } else {
      process.stderr.write(`${text}\n`);
    }
  }

  #clear(): void {
    if (this.#lineShown) process.stderr.write("\r\x1b[K");
    this.#lineShown = false;
  }
}

function speed(tokens: number, seconds: number): string {
  return `${count(tokens / seconds)} tokens/s`;
}

/** What is left at the speed so far: "40 s left", "3 min left". */
function timeLeft(done: number, total: number, seconds: number): string {
  const left = Math.max(0, Math.round((seconds / done) * (total - done)));
  if (left < 100) return `${left} s left`;
  return left < 6000 ? `${Math.round(left / 60)} min left` : `${(left / 3600).toFixed(1)} h left`;
}

function cache(entries: number, cacheBytes: number): string {
  return `${count(entries)} cache entries in ${bytes(cacheBytes)}`;
}
