/** Gives out and takes back stretches of the core's memory, and keeps its books to the byte. */
import { MemoryError } from "../errors.ts";

const ALIGNMENT = 64;
const WASM_PAGE = 65_536;
/** Grown beyond what is needed: each growth detaches all views and can cost a whole garbage collection. */
const GROWTH_BYTES = 1 << 20;

/** A free stretch; the list is sorted by address and no two stretches touch. */
interface Stretch {
  start: number;
  length: number;
}

/** First fit over a list of free stretches that are joined when they touch; every stretch is a multiple of 64 bytes. */
export class Allocator {
  readonly #memory: WebAssembly.Memory;
  readonly #taken = new Map<number, number>();
  readonly #free: Stretch[] = [];
  /** First byte that was never given out. */
  #top: number;
  #bytesInUse = 0;
  #peakBytes = 0;

  constructor(memory: WebAssembly.Memory, heapBase: number) {
    this.#memory = memory;
    this.#top = roundUp(heapBase);
  }

  /** Bytes given out now, each stretch rounded up to 64. */
  get bytesInUse(): number {
    return this.#bytesInUse;
  }

  /** The most bytes ever given out at once. */
  get peakBytes(): number {
    return this.#peakBytes;
  }

  /**
   * Address of `byteLength` bytes, aligned to 64, holding whatever they held before.
   * @throws MemoryError when the memory cannot grow, or for a length that is no whole number from 0 on
   */
  allocate(byteLength: number): number {
    checkLength(byteLength);
    const length = roundUp(Math.max(1, byteLength));
    const pointer = this.#reuse(length) ?? this.#extend(length);
    this.#taken.set(pointer, length);
    this.#bytesInUse += length;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bytesInUse);
    return pointer;
  }

  /**
   * Grows the memory at once for stretches of so many bytes in all, which it would otherwise do little by little. Where
   * it cannot, `allocate` will say so. @throws MemoryError for a length that is no whole number from 0 on
   */
  reserve(byteLength: number): void {
    checkLength(byteLength);
    const end = this.#top + byteLength;
    if (end > this.#memory.buffer.byteLength) this.#grow(end);
  }

  /** Takes back what `allocate` gave. @throws MemoryError for an address that is not given out */
  free(pointer: number): void {
    const length = this.#taken.get(pointer);
    if (length === undefined) throw new MemoryError(`Address ${pointer} is not given out, so it cannot be freed`);
    this.#taken.delete(pointer);
    this.#bytesInUse -= length;
    const after = this.#firstAfter(pointer);
    const next = this.#free[after];
    const previous = this.#free[after - 1];
    const joinsNext = next !== undefined && pointer + length === next.start;
    if (previous !== undefined && previous.start + previous.length === pointer) {
      previous.length += length;
      if (joinsNext) {
        previous.length += next.length;
        this.#free.splice(after, 1);
      }
    } else if (joinsNext) {
      next.start = pointer;
      next.length += length;
    } else {
      this.#free.splice(after, 0, { start: pointer, length });
    }
    this.#lowerTop();
  }

  #reuse(length: number): number | undefined {
    for (let index = 0; index < this.#free.length; index++) {
      const stretch = this.#free[index]!;
      if (stretch.length < length) continue;
      const pointer = stretch.start;
      if (stretch.length === length) this.#free.splice(index, 1);
      else {
        stretch.start += length;
        stretch.length -= length;
      }
      return pointer;
    }
    return undefined;
  }

  #extend(length: number): number {
    const pointer = this.#top;
    const end = pointer + length;
    if (end > this.#memory.buffer.byteLength && !this.#grow(end + GROWTH_BYTES) && !this.#grow(end)) {
      const { byteLength } = this.#memory.buffer;
      throw new MemoryError(
        `The core's memory of ${byteLength} bytes cannot grow to ${end} (${length} were asked for)`,
      );
    }
    this.#top = end;
    return pointer;
  }

  /** @returns whether the memory now has so many bytes */
  #grow(byteLength: number): boolean {
    try {
      this.#memory.grow(Math.ceil((byteLength - this.#memory.buffer.byteLength) / WASM_PAGE));
      return true;
    } catch {
      return false;
    }
  }

  /** Index of the first free stretch that starts after `pointer`. */
  #firstAfter(pointer: number): number {
    let low = 0;
    let high = this.#free.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#free[middle]!.start < pointer) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #lowerTop(): void {
    const last = this.#free.at(-1);
    if (last && last.start + last.length === this.#top) {
      this.#top = last.start;
      this.#free.pop();
    }
  }
}

/** Books with a NaN in them would give the same bytes out twice. */
function checkLength(byteLength: number): void {
  if (!Number.isSafeInteger(byteLength) || byteLength < 0) {
    throw new MemoryError(`A length in bytes is a whole number from 0 on, which ${String(byteLength)} is not`);
  }
}

function roundUp(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
