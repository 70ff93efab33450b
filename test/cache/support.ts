/** A cache beside a plain list of what it should hold, for the tests of the cache. */
import * as assert from "uvu/assert";
import { KeyValueCache, type Scheme } from "../../src/cache/cache.ts";
import { PAGE_ENTRIES, PAGE_SHIFT } from "../../src/cache/page-form.ts";
import type { PagePool } from "../../src/cache/pages.ts";
import type { Axis } from "../../src/core/axis.ts";
import { HeadRecord } from "../../src/core/layouts.ts";
import { bytesOf } from "../../src/core/words.ts";
import type { RotaryFrequencies } from "../../src/rotary/frequencies.ts";
import type { RotationRows } from "../../src/rotary/rotation-rows.ts";
import { assertNear, assertSame, largestMagnitude } from "../support/assertions.ts";

/** A head whose dimensions lie one after another. */
export function plainHead(headSize: number): Axis {
  return { runs: 1, length: headSize, packedLength: headSize };
}

/** One entry as it should be. */
interface Entry {
  /** Before rotation. */
  readonly key: Float32Array;
  readonly value: Float32Array;
  /** Where it stood in the text. */
  readonly position: number;
}

/** A key at a position: turned in f64, scaled, rounded once. Dimensions beyond the frequencies stay. */
function rotated(key: Float32Array, position: number, frequencies: RotaryFrequencies): Float32Array {
  const { inverseFrequencies, attentionFactor } = frequencies;
  const result = Float32Array.from(key);
  for (const [i, frequency] of inverseFrequencies.entries()) {
    const high = i + inverseFrequencies.length;
    const [cosine, sine] = [Math.cos(position * frequency), Math.sin(position * frequency)];
    result[i] = attentionFactor * (key[i]! * cosine - key[high]! * sine);
    result[high] = attentionFactor * (key[high]! * cosine + key[i]! * sine);
  }
  return result;
}

/** Does everything to a cache and to lists, [layers · heads] of entries, and compares the two. */
export class Mirror {
  readonly cache: KeyValueCache;
  readonly heads: Entry[][];
  readonly #pool: PagePool;
  readonly #frequencies: RotaryFrequencies;
  readonly #rotations: RotationRows;

  constructor(
    pool: PagePool,
    frequencies: RotaryFrequencies,
    rotations: RotationRows,
    from: { layers: number; kvHeads: number; scheme: Scheme } | Mirror,
  ) {
    this.#pool = pool;
    this.#frequencies = frequencies;
    this.#rotations = rotations;
    this.cache =
      from instanceof Mirror ? from.cache.fork() : new KeyValueCache(pool, from.layers, from.kvHeads, from.scheme);
    this.heads =
      from instanceof Mirror
        ? from.heads.map((entries) => [...entries])
        : Array.from({ length: from.layers * from.kvHeads }, () => []);
  }

  fork(): Mirror {
    return new Mirror(this.#pool, this.#frequencies, this.#rotations, this);
  }

  /** Appends `rows` drawn rows to every head, as the core's tape does: through the table that `reserve` writes. */
  append(rows: number, draw: (count: number) => Float32Array): void {
    this.write(rows, draw);
    this.cache.commit(rows);
  }

  /** As `append`, without the commit; the lists count the rows already. */
  write(rows: number, draw: (count: number) => Float32Array): void {
    const { core, headSize } = this.#pool;
    const table = this.cache.reserve(rows, 0);
    for (const [index, entries] of this.heads.entries()) {
      const [pages, length, base] = core.u32(table + index * bytesOf(HeadRecord), 3) as unknown as [
        number,
        number,
        number,
      ];
      assert.is(length, entries.length + rows);
      for (let row = 0; row < rows; row++) {
        const entry = { key: draw(headSize), value: draw(headSize), position: this.cache.absolutePosition + row };
        const place = entries.length;
        const page = core.u32(pages, (place >> PAGE_SHIFT) + 1)[place >> PAGE_SHIFT]!;
        const at = page + (place % PAGE_ENTRIES) * headSize * 4;
        core.f32(at, headSize).set(rotated(entry.key, base + row, this.#frequencies));
        core.f32(at + PAGE_ENTRIES * headSize * 4, headSize).set(entry.value);
        entries.push(entry);
      }
    }
  }

  /** Keeps the chosen entries of each head. */
  keep(choose: (index: number, length: number) => Int32Array): void {
    const { kvHeads } = this.cache;
    const lists = this.heads.map((entries, index) => choose(index, entries.length));
    this.cache.keep((layer, head) => lists[layer * kvHeads + head]!, this.#rotations);
    for (const [index, list] of lists.entries()) {
      this.heads[index] = Array.from(list, (entry) => this.heads[index]![entry]!);
    }
  }

  /** @param tolerance how far a key may be off, relative to the largest of its head's values */
  check(tolerance: number, name = ""): void {
    const { layers, kvHeads, scheme, absolutePosition } = this.cache;
    for (let layer = 0; layer < layers; layer++) {
      for (let head = 0; head < kvHeads; head++) {
        const entries = this.heads[layer * kvHeads + head]!;
        const title = `${name}: layer ${layer}, head ${head}`;
        assert.is(this.cache.length(layer, head), entries.length, title);
        assert.equal(
          [...this.cache.positions(layer, head)],
          entries.map(({ position }) => position),
          title,
        );
        assert.is(this.cache.nextPosition(layer, head), scheme === "contiguous" ? entries.length : absolutePosition);
        const list = (rows: Float32Array[]) => Float32Array.from(rows.flatMap((row) => [...row]));
        assertSame(this.cache.values(layer, head), list(entries.map(({ value }) => value)), `${title}, values`);
        const place = (entry: Entry, index: number) => (scheme === "contiguous" ? index : entry.position);
        const keys = list(entries.map((entry, index) => rotated(entry.key, place(entry, index), this.#frequencies)));
        const largest = largestMagnitude(keys);
        assertNear(this.cache.keys(layer, head), keys, () => tolerance * largest, `${title}, keys`);
      }
    }
  }
}
