/** Counts what a template does and what its values hold, so that one from anywhere ends soon and in bounded memory. */
import { Fault } from "./faults.ts";

/** How much a template may do. */
export interface Limits {
  /** expressions, statements, rounds of loops, items looked at */
  readonly steps: number;
  /** characters read or written, with those that lists and dicts count for */
  readonly characters: number;
}

/** A place in a list takes as much memory as so many characters, an entry of a dict or an object of its own as so many. */
const SLOT = 8;
const OBJECT = 32;

/** Runtimes differ in how deep they recurse before the stack overflows. */
const DEEPEST = 500;

/**
 * Counts are never taken back: what has been written may still be held, and whether it is cannot be known. Steps are counted rather than
 * time, or the work given to a thread: edge runtimes have neither clocks that run nor threads, and the same template is refused anywhere.
 */
export class Budget {
  readonly #limits: Limits;
  #steps = 0;
  #characters = 0;
  #depth = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** @throws Fault when the template has done too much */
  step(count = 1): void {
    this.#steps += count;
    if (!(this.#steps <= this.#limits.steps)) throw new Fault(`it takes more than ${this.#limits.steps} steps`);
  }

  /** Before so many characters are read or written. @throws Fault when that is too much */
  characters(count: number): void {
    this.#characters += count;
    if (!(this.#characters <= this.#limits.characters))
      throw new Fault(`it reads and writes more than ${this.#limits.characters} characters`);
  }

  /** Before texts are joined to one so long, which costs nothing until it is read. @throws Fault when it could not be read */
  fits(length: number): void {
    this.objects();
    if (length > this.#limits.characters) throw new Fault(`it makes a text of ${length} characters`);
  }

  /** Before a text is worked on from end to end. */
  text(text: string): void {
    this.characters(text.length);
    this.step(text.length >> 4);
  }

  /** Before a piece of a text is put beside others. */
  piece(text: string): void {
    this.characters(text.length + SLOT);
  }

  /** Before a list of so many places is made. */
  slots(count: number): void {
    this.characters(OBJECT + SLOT * count);
  }

  /** Before so many objects are made. */
  objects(count = 1): void {
    this.characters(OBJECT * count);
  }

  /** Runs what may nest. @throws Fault when it nests too deep */
  nested<T>(work: () => T): T {
    this.enter();
    const result = work();
    this.leave();
    return result;
  }

  /** One level deeper. A template that fails is given up, so that nothing is made good then. */
  enter(): void {
    if (++this.#depth > DEEPEST) throw new Fault(`it nests more than ${DEEPEST} deep`);
  }

  leave(): void {
    this.#depth--;
  }
}
