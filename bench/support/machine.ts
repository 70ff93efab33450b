/** A core to measure kernels on, with the loops that say what the machine can do at most, on the same memory. */
import { readFileSync } from "node:fs";
import { Core } from "../../src/core/core.ts";
import { bestFlavour } from "../../src/core/module.ts";
import { seededRandom } from "../../test/support/random.ts";
import type { Case } from "./measure.ts";

/** What bench/assembly/limits.ts exports. */
interface Limits {
  multiplyAddOperations(): number;
  multiplyAdd(values: number, rounds: number): void;
  multiplyAddIntegerOperations(): number;
  multiplyAddIntegers(values: number, rounds: number): void;
  read(source: number, byteLength: number): number;
}

/** Rounds of the register loops: some tenths of a millisecond. */
const ROUNDS = 100_000;
/** What `multiplyAdd` reads and writes. */
const VALUES_BYTES = 256;

/** The best flavour of the core for this runtime, single-threaded, with the limits beside it. */
export class Machine {
  readonly core: Core;
  readonly #limits: Limits;
  readonly #random = seededRandom(1);

  constructor() {
    const flavour = bestFlavour(false);
    const load = (name: string) =>
      new WebAssembly.Module(
        readFileSync(new URL(`./${name}${flavour === "relaxed" ? ".relaxed" : ""}.wasm`, import.meta.url)),
      );
    this.core = new Core(load("core"));
    const imports = { env: { memory: this.core.memory } };
    this.#limits = new WebAssembly.Instance(load("limits"), imports).exports as unknown as Limits;
  }

  /** Address of `count` f32 from -1 to 1. */
  floats(count: number): number {
    const pointer = this.core.allocate(count * 4);
    // A short pattern again and again: drawing a hundred million numbers would take longer than measuring.
    const pattern = Float32Array.from({ length: 4093 }, () => this.#random() * 2 - 1);
    const target = this.core.f32(pointer, count);
    for (let at = 0; at < count; at += pattern.length) target.set(pattern.subarray(0, count - at), at);
    return pointer;
  }

  /** Address of numbers. */
  integers(values: ArrayLike<number>): number {
    const pointer = this.core.allocate(values.length * 4);
    this.core.u32(pointer, values.length).set(values);
    return pointer;
  }

  /** Multiplications and additions of f32 in registers alone: the bound of the f32 product. */
  registerLoop(): Case {
    const values = this.floats(VALUES_BYTES / 4);
    return {
      work: ROUNDS * this.#limits.multiplyAddOperations(),
      run: () => this.#limits.multiplyAdd(values, ROUNDS),
    };
  }

  /** The same of 16-bit integers: the bound of the integer products. */
  integerLoop(): Case {
    const values = this.floats(VALUES_BYTES / 4);
    return {
      work: ROUNDS * this.#limits.multiplyAddIntegerOperations(),
      run: () => this.#limits.multiplyAddIntegers(values, ROUNDS),
    };
  }

  /** Reads one of several stretches after the other: the bound of the matrix-vector products. */
  readLoop(stretches: readonly number[], byteLength: number): Case {
    let turn = 0;
    const whole = byteLength - (byteLength % 128);
    return { work: whole, run: () => void this.#limits.read(stretches[turn++ % stretches.length]!, whole) };
  }
}
