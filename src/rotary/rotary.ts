/** How the layers of one kind turn queries and keys, in texts of any length. */
import type { Core } from "../core/core.ts";
import {
  frequencyLength,
  type RotaryConfig,
  type RotaryFactors,
  type RotaryFrequencies,
  rotaryFrequencies,
} from "./frequencies.ts";
import { RotationRows } from "./rotation-rows.ts";
import { ShortRotationRows } from "./short-rotation-rows.ts";

/** What turns by one set of frequencies. */
export interface Turning {
  /** Of a head's first dimensions, as the model has them. */
  readonly frequencies: RotaryFrequencies;
  /** Whether anything turns. */
  readonly turns: boolean;
  /** For heads as they are held, from one place to another: what does not turn has the cosine 1. */
  readonly rows: RotationRows;
  /** The same from no place to a first one, to be scaled by the attention factor, which what does not turn is spared. */
  readonly firstRows: RotationRows;
  /** As `firstRows`, in 16 bits. */
  readonly shortRows: ShortRotationRows;
}

/** Sets that are held at once: of models whose frequencies depend on the length, the latest two. */
const HELD = 2;

/** Frequencies of one kind of layer and the rows made of them. */
export class Rotary {
  readonly #core: Core;
  readonly #config: RotaryConfig | undefined;
  readonly #dimensions: number;
  readonly #headSize: number;
  readonly #pairs: number;
  readonly #factors: RotaryFactors;
  readonly #sets = new Map<number, Turning>();

  /**
   * @param config undefined for layers that know nothing of positions
   * @param head its dimensions, how many of them turn, and the pairs that it is held in
   */
  constructor(
    core: Core,
    config: RotaryConfig | undefined,
    { size, turning, pairs }: { readonly size: number; readonly turning: number; readonly pairs: number },
    factors: RotaryFactors = {},
  ) {
    this.#core = core;
    this.#config = config;
    this.#headSize = size;
    this.#dimensions = turning;
    this.#pairs = pairs;
    this.#factors = factors;
  }

  /** By which length texts of this length are turned: equal ones are turned alike. */
  lengthOf(length: number): number {
    return this.#config ? frequencyLength(this.#config, length) : 0;
  }

  /** How a text of so many tokens turns; valid until other lengths are asked for. */
  at(length: number): Turning {
    const key = this.lengthOf(length);
    const held = this.#sets.get(key);
    if (held && this.#sets.size < HELD) return held;
    const known = held ?? this.#make(key);
    this.#sets.delete(key);
    this.#sets.set(key, known);
    for (const [old, turning] of this.#sets) {
      if (this.#sets.size <= HELD) break;
      disposeTurning(turning);
      this.#sets.delete(old);
    }
    return known;
  }

  dispose(): void {
    for (const turning of this.#sets.values()) disposeTurning(turning);
    this.#sets.clear();
  }

  #make(length: number): Turning {
    const core = this.#core;
    const frequencies = this.#config
      ? rotaryFrequencies(this.#config, this.#dimensions, this.#factors, length)
      : { inverseFrequencies: new Float32Array(0), attentionFactor: 1 };
    const { inverseFrequencies, attentionFactor } = frequencies;
    const inverse = new Float32Array(this.#pairs);
    inverse.set(inverseFrequencies);
    const held = { inverseFrequencies: inverse, attentionFactor };
    const first = inverseFrequencies.length;
    const still = { first, cosine: 1 / attentionFactor };
    const rows = new RotationRows(core, held);
    // The zeros that pad a head may be scaled.
    const spares = attentionFactor !== 1 && 2 * first < this.#headSize;
    return {
      frequencies,
      turns: first > 0,
      rows,
      firstRows: spares ? new RotationRows(core, held, still) : rows,
      shortRows: new ShortRotationRows(core, held, spares ? still : undefined),
    };
  }
}

function disposeTurning({ rows, firstRows, shortRows }: Turning): void {
  rows.dispose();
  firstRows.dispose();
  shortRows.dispose();
}
