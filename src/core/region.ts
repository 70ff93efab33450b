/** Who holds which of the core's memory: stretches that are freed together, and one stretch cut into named parts. */

/** What gives out memory and takes it back: the core. */
interface Memory {
  allocate(byteLength: number): number;
  free(pointer: number): void;
}

/**
 * Stretches that live and end together. A region owns what was allocated in it, from `allocate` to `free`; nobody else
 * frees it. It may be filled again afterwards.
 */
export class Region {
  readonly #memory: Memory;
  #pointers: number[] = [];

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /** Address of `byteLength` uninitialised bytes, aligned to 64. @throws MemoryError; what it held before it still holds */
  allocate(byteLength: number): number {
    const pointer = this.#memory.allocate(byteLength);
    this.#pointers.push(pointer);
    return pointer;
  }

  /** Frees everything. */
  free(): void {
    for (const pointer of this.#pointers.splice(0)) this.#memory.free(pointer);
  }
}

/**
 * One stretch, cut into parts by their names, each aligned to 64. A scratch owns the stretch from one `cut` to the next or to
 * `free`; the addresses of the parts are good for as long, whoever they were given to.
 */
export class Scratch<Name extends string> {
  readonly #memory: Memory;
  #pointer = 0;

  constructor(memory: Memory) {
    this.#memory = memory;
  }

  /**
   * Frees what was cut before, so that the new stretch may take its place, and cuts anew; nothing is kept.
   * @param sizes bytes of each part
   * @returns addresses of uninitialised bytes
   * @throws MemoryError; it then holds nothing
   */
  cut(sizes: Readonly<Record<Name, number>>): Readonly<Record<Name, number>> {
    this.free();
    const names = Object.keys(sizes) as Name[];
    this.#pointer = this.#memory.allocate(names.reduce((sum, name) => sum + aligned(sizes[name]), 0));
    let next = this.#pointer;
    const parts = {} as Record<Name, number>;
    for (const name of names) {
      parts[name] = next;
      next += aligned(sizes[name]);
    }
    return parts;
  }

  free(): void {
    if (this.#pointer) this.#memory.free(this.#pointer);
    this.#pointer = 0;
  }
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / 64) * 64;
}
