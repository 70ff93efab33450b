/** The memory of a tensor and its views: given back when the last of them lets go. */
import type { Core } from "../core/core.ts";
import { MemoryError } from "../errors.ts";

/** Stretches that are held, and their bytes: what to look at when memory runs out. */
const alive = { count: 0, bytes: 0 };

/** A stretch of the core's memory with a count of the tensors that look at it. */
export class Storage {
  readonly core: Core;
  readonly pointer: number;
  readonly #byteLength: number;
  #holders = 1;

  /** @throws MemoryError that says how many tensors are alive */
  constructor(core: Core, byteLength: number) {
    this.core = core;
    this.#byteLength = byteLength;
    try {
      this.pointer = core.allocate(byteLength);
    } catch (cause) {
      const { count, bytes } = alive;
      throw new MemoryError(`${(cause as Error).message}; ${count} tensors of ${bytes} bytes are alive`, { cause });
    }
    alive.count++;
    alive.bytes += byteLength;
  }

  /** One holder more. */
  hold(): this {
    this.#holders++;
    return this;
  }

  /** One holder less. */
  release(): void {
    this.#holders--;
    if (this.#holders > 0) return;
    alive.count--;
    alive.bytes -= this.#byteLength;
    this.core.free(this.pointer);
  }
}
