/** One instance of the core with the memory it owns. */

import { MemoryError } from "../errors.ts";
import type { Steps } from "../steps.ts";
import { Allocator } from "./allocator.ts";
import type { Kernels } from "./kernels.ts";
import { instantiate, type WorkersLive } from "./module.ts";
import { Scratch } from "./region.ts";

/** All that 32 bits address but the last page: a kernel's end address must not wrap to 0. */
const MOST_PAGES = 65_535;

/**
 * The kernels, their memory and its allocator. Views are made on demand and must not be kept: growing the memory
 * detaches them.
 */
export class Core {
  readonly memory: WebAssembly.Memory;
  readonly kernels: Kernels;
  /** Set by the team whose threads share this core. */
  workersLive: WorkersLive = () => true;
  readonly #allocator: Allocator;

  /**
   * @param shared whether the module is a build for a memory that threads share
   * @throws ArgumentError for what is no module of the core, or of the other kind; MemoryError
   */
  constructor(module: WebAssembly.Module, shared = false) {
    this.memory = makeMemory(shared);
    this.kernels = instantiate(module, this.memory, (waits) => this.workersLive(waits));
    this.#allocator = new Allocator(this.memory, this.kernels.heapBase());
  }

  /** Address of `byteLength` uninitialised bytes, aligned to 64. @throws MemoryError */
  allocate(byteLength: number): number {
    return this.#allocator.allocate(byteLength);
  }

  /** Makes room for so many bytes at once, where growing little by little would cost time. */
  reserve(byteLength: number): void {
    this.#allocator.reserve(byteLength);
  }

  free(pointer: number): void {
    this.#allocator.free(pointer);
  }

  /** Bytes given out now. */
  get bytesInUse(): number {
    return this.#allocator.bytesInUse;
  }

  /** The most bytes given out at once so far. */
  get peakBytes(): number {
    return this.#allocator.peakBytes;
  }

  /** Bytes of the WebAssembly memory, which never shrinks. */
  get byteLength(): number {
    return this.memory.buffer.byteLength;
  }

  bytes(pointer: number, length: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.memory.buffer as ArrayBuffer, pointer, length);
  }

  f32(pointer: number, length: number): Float32Array<ArrayBuffer> {
    return new Float32Array(this.memory.buffer as ArrayBuffer, pointer, length);
  }

  i32(pointer: number, length: number): Int32Array<ArrayBuffer> {
    return new Int32Array(this.memory.buffer as ArrayBuffer, pointer, length);
  }

  u32(pointer: number, length: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.memory.buffer as ArrayBuffer, pointer, length);
  }

  /**
   * Runs `use` with the addresses of named parts, which are freed afterwards, whatever happens.
   * @param sizes bytes of each part
   * @throws MemoryError
   */
  borrow<Name extends string, T>(
    sizes: Readonly<Record<Name, number>>,
    use: (parts: Readonly<Record<Name, number>>) => T,
  ): T {
    const scratch = new Scratch<Name>(this);
    try {
      return use(scratch.cut(sizes));
    } finally {
      scratch.free();
    }
  }

  /** As `borrow`, for work that can be paused; given up midway, the memory is freed too. */
  *borrowInSteps<Name extends string, T>(
    sizes: Readonly<Record<Name, number>>,
    use: (parts: Readonly<Record<Name, number>>) => Steps<T>,
  ): Steps<T> {
    const scratch = new Scratch<Name>(this);
    try {
      return yield* use(scratch.cut(sizes));
    } finally {
      scratch.free();
    }
  }
}

function makeMemory(shared: boolean): WebAssembly.Memory {
  try {
    return new WebAssembly.Memory({ initial: 2, maximum: MOST_PAGES, shared });
  } catch (cause) {
    throw new MemoryError("The runtime has no address space for another core", { cause });
  }
}
