/** Stops generated text at given strings, holding back what might be the start of one. */

/** Lets text through until one of the stop strings appears in it. */
export class StopFilter {
  readonly #stops: readonly string[];
  #held = "";
  #stop: string | undefined;

  constructor(stops: readonly string[]) {
    this.#stops = stops.filter((stop) => stop.length > 0);
  }

  /** The stop string that appeared, once one has. */
  get stop(): string | undefined {
    return this.#stop;
  }

  /** The text that is safe to show now that `piece` has come. */
  push(piece: string): string {
    this.#held += piece;
    const found = this.#stops
      .map((stop) => ({ stop, at: this.#held.indexOf(stop) }))
      .filter(({ at }) => at >= 0)
      .sort((a, b) => a.at - b.at)[0];
    if (found) {
      this.#stop = found.stop;
      return this.#take(found.at);
    }
    return this.#take(this.#held.length - this.#startOfStop());
  }

  /** What is still held when no more text comes. */
  flush(): string {
    return this.#stop !== undefined ? "" : this.#take(this.#held.length);
  }

  #take(length: number): string {
    const shown = this.#held.slice(0, length);
    this.#held = this.#held.slice(length);
    return shown;
  }

  /** Length of the longest end of the held text that starts a stop string. */
  #startOfStop(): number {
    let longest = 0;
    for (const stop of this.#stops) {
      for (let length = Math.min(stop.length - 1, this.#held.length); length > longest; length--) {
        if (stop.startsWith(this.#held.slice(-length))) longest = length;
      }
    }
    return longest;
  }
}
