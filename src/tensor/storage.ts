/** The memory of a tensor and its views: given back when the last of them lets go. */
import type { Core } from "../core/core.ts";

/** A stretch of the core's memory with a count of the tensors that look at it. */
export class Storage {
  readonly core: Core;
  readonly pointer: number;
  #holders = 1;

  /** @throws MemoryError */
  constructor(core: Core, byteLength: number) {
    this.core = core;
    this.pointer = core.allocate(byteLength);
  }

  /** One holder more. */
  hold(): this {
    this.#holders++;
    return this;
  }

  /** One holder less. */
  release(): void {
    this.#holders--;
    if (this.#holders === 0) this.core.free(this.pointer);
  }
}
