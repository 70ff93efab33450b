/** Who is served next: a bounded number at once, the others in turn by client, so that one who asks much does not keep others waiting. */
import { HttpError } from "./errors.ts";

interface Waiting {
  readonly start: () => void;
}

/** Gives out places. */
export class FairQueue {
  readonly #concurrency: number;
  readonly #maxWaiting: number;
  /** By client, those who waited longest first; clients in the order of their turn. */
  readonly #waiting = new Map<string, Waiting[]>();
  #running = 0;
  /** How long a place was held lately, in seconds. */
  #seconds = 1;
  #idle: (() => void)[] = [];

  constructor(concurrency: number, maxWaiting: number) {
    this.#concurrency = concurrency;
    this.#maxWaiting = maxWaiting;
  }

  get running(): number {
    return this.#running;
  }

  get waiting(): number {
    let count = 0;
    for (const list of this.#waiting.values()) count += list.length;
    return count;
  }

  /**
   * Waits for a place.
   * @returns gives it back; calling it again does nothing
   * @throws HttpError 429 when too many wait; what the signal gives when aborted
   */
  async enter(client: string, signal: AbortSignal): Promise<() => void> {
    signal.throwIfAborted();
    if (this.#running >= this.#concurrency) {
      if (this.waiting >= this.#maxWaiting) {
        const seconds = Math.ceil(((this.waiting + 1) * this.#seconds) / this.#concurrency);
        const headers = { "retry-after": String(Math.max(1, Math.min(60, seconds))) };
        throw new HttpError(
          429,
          "Too many requests wait already; try again later",
          null,
          "rate_limit_exceeded",
          headers,
        );
      }
      await this.#wait(client, signal);
    } else this.#running++;
    const entered = performance.now();
    let left = false;
    return () => {
      if (left) return;
      left = true;
      this.#seconds += ((performance.now() - entered) / 1000 - this.#seconds) / 8;
      this.#leave();
    };
  }

  /** Resolves when nothing runs or waits. */
  async idle(): Promise<void> {
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #wait(client: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const list = this.#waiting.get(client) ?? [];
      const waiting: Waiting = {
        start: () => {
          signal.removeEventListener("abort", abort);
          resolve();
        },
      };
      const abort = () => {
        list.splice(list.indexOf(waiting), 1);
        if (list.length === 0) this.#waiting.delete(client);
        reject(signal.reason);
      };
      signal.addEventListener("abort", abort, { once: true });
      list.push(waiting);
      this.#waiting.set(client, list);
    });
  }

  /** The place goes to the client whose turn it is, who then is the last of all. */
  #leave(): void {
    const next = this.#waiting.entries().next();
    if (next.done) {
      this.#running--;
      if (this.#running === 0) for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    const [client, list] = next.value;
    const first = list.shift();
    this.#waiting.delete(client);
    if (list.length > 0) this.#waiting.set(client, list);
    first!.start();
  }
}
