/** Pages of the 8-bit cache in both builds: what is written, moved and expanded, and one row's attention over them. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Core } from "../../src/core/core.ts";
import { LayerRecord } from "../../src/core/layouts.ts";
import { Tape } from "../../src/core/tape.ts";
import { bitsOf, bytesOf, writeRecord } from "../../src/core/words.ts";
import { assertNear, assertSame, largestMagnitude, ROUNDING } from "../support/assertions.ts";
import { builds, guarded, makeCore, place } from "../support/core.ts";
import { normals } from "../support/random.ts";

const PAGE_SHIFT = 5;
const PAGE_ENTRIES = 32;
const POSITIONS = 400;

/** Cosines and sines of the positions 0 to POSITIONS - 1 for frequencies as a model has them. */
function rotations(headSize: number): { long: Float32Array; short: Uint32Array } {
  const half = headSize / 2;
  const long = new Float32Array(POSITIONS * headSize);
  const short = new Int16Array(POSITIONS * headSize * 2);
  for (let position = 0; position < POSITIONS; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position * 10_000 ** (-i / half);
      const [cosine, sine] = [Math.cos(angle), Math.sin(angle)];
      long[position * headSize + i] = cosine;
      long[position * headSize + i + half] = sine;
      const place = position * headSize * 2 + (i >> 2) * 16 + (i & 3) * 2;
      for (const [offset, value] of [cosine, -sine].entries()) short[place + offset] = Math.round(value * 16_384);
      for (const [offset, value] of [sine, cosine].entries()) short[place + 8 + offset] = Math.round(value * 16_384);
    }
  }
  return { long, short: new Uint32Array(short.buffer) };
}

/** A key turned to its position, in f64. */
function turned(key: ArrayLike<number>, position: number): Float64Array {
  const half = key.length / 2;
  const result = new Float64Array(key.length);
  for (let i = 0; i < half; i++) {
    const angle = position * 10_000 ** (-i / half);
    result[i] = key[i]! * Math.cos(angle) - key[i + half]! * Math.sin(angle);
    result[i + half] = key[i + half]! * Math.cos(angle) + key[i]! * Math.sin(angle);
  }
  return result;
}

/** What 8 bits make of a row: blocks of 32 with an upward-rounded scale; half a step each value. */
function halfSteps(row: Float32Array, part: "keys" | "values"): Float64Array {
  const half = row.length / 2;
  const members = (block: number) =>
    Array.from({ length: 32 }, (_, i) =>
      part === "values" ? block * 32 + i : block * 16 + (i < 16 ? i : i - 16 + half),
    );
  const result = new Float64Array(row.length);
  for (let block = 0; block < row.length / 32; block++) {
    const largest = largestMagnitude(members(block).map((at) => row[at]!));
    // A scale keeps 8 bits of its mantissa, rounded up.
    for (const at of members(block)) result[at] = (largest / 127) * (1 + 2 ** -7) * 0.5 * (1 + 1e-5);
  }
  return result;
}

for (const build of builds) {
  const test = suite(`8-bit pages, ${build}`);
  const draw = normals(21);

  for (const headSize of [32, 64, 96, 128]) {
    const core = makeCore(build);
    const { kernels } = core;
    const turns = rotations(headSize);
    const long = place(core, turns.long);
    const short = place(core, turns.short);
    const pageWords = kernels.pageBytesQ8(headSize, PAGE_SHIFT) / 4;
    const write = (page: number, slot: number, key: Float32Array, value: Float32Array, position: number) => {
      const [keyAt, valueAt] = [place(core, key), place(core, value)];
      kernels.writeEntryQ8(page, slot, keyAt, valueAt, position, headSize, PAGE_SHIFT);
      core.free(keyAt);
      core.free(valueAt);
    };
    const expand = (page: number, count: number, factor = 1) => {
      const target = guarded(core, PAGE_ENTRIES * headSize * 2);
      kernels.expandQ8(page, target.pointer, count, headSize, PAGE_SHIFT, long, factor);
      assert.ok(target.intact());
      const all = core.f32(target.pointer, PAGE_ENTRIES * headSize * 2).slice();
      core.free(target.pointer);
      return (part: "keys" | "values", slot: number) =>
        all.subarray(((part === "keys" ? 0 : PAGE_ENTRIES) + slot) * headSize).subarray(0, headSize);
    };

    test(`heads of ${headSize}: what is written is read back to half a step, keys turned`, () => {
      const page = guarded(core, pageWords);
      const keys = Array.from({ length: PAGE_ENTRIES }, () => draw(headSize, 3));
      const values = Array.from({ length: PAGE_ENTRIES }, () => draw(headSize));
      values[5]!.fill(0);
      keys[6]!.fill(0);
      for (let slot = 0; slot < PAGE_ENTRIES; slot++) write(page.pointer, slot, keys[slot]!, values[slot]!, 0);
      assert.ok(page.intact());
      const plain = expand(page.pointer, PAGE_ENTRIES);
      const places = keys.map((_, slot) => (slot * 37) % POSITIONS);
      for (const [slot, position] of places.entries()) {
        const allowed = halfSteps(values[slot]!, "values");
        assertNear(plain("values", slot), values[slot]!, (at) => allowed[at]!, `value ${slot}`);
        const allowedKey = halfSteps(keys[slot]!, "keys");
        assertNear(plain("keys", slot), keys[slot]!, (at) => allowedKey[at]!, `key ${slot}`);
        write(page.pointer, slot, keys[slot]!, values[slot]!, position);
      }
      for (const count of [1, 2, 31, 32]) {
        for (const factor of [1, 1.25]) {
          const moved = expand(page.pointer, count, factor);
          for (let slot = 0; slot < count; slot++) {
            const expected = turned(plain("keys", slot), places[slot]!).map((value) => value * factor);
            const largest = largestMagnitude(expected);
            assertNear(moved("keys", slot), expected, () => 6 * ROUNDING * largest, `key ${slot} at ${places[slot]}`);
            assertSame(moved("values", slot), plain("values", slot));
          }
        }
      }
      core.free(page.pointer);
    });

    test(`heads of ${headSize}: gathering moves entries as they are, within pages and between them`, () => {
      const [length, kept] = [75, [0, 3, 4, 31, 32, 33, 40, 63, 64, 70, 74]];
      const entries = Array.from({ length }, () => [draw(headSize), draw(headSize)] as const);
      for (const renumber of [0, 1]) {
        for (const inPlace of [true, false]) {
          const pages = [0, 1, 2].map(() => core.allocate(pageWords * 4));
          for (const [index, [key, value]] of entries.entries()) {
            write(pages[index >> PAGE_SHIFT]!, index % PAGE_ENTRIES, key, value, index + 100);
          }
          const wanted = kept.map((index) => {
            const [key, value] = entries[index]!;
            const page = core.allocate(pageWords * 4);
            write(page, 0, key, value, renumber ? kept.indexOf(index) : index + 100);
            const read = expand(page, 1);
            core.free(page);
            return [read("keys", 0), read("values", 0)];
          });
          const target = inPlace ? pages[0]! : core.allocate(pageWords * 4);
          const lists = [Uint32Array.from(pages), Uint32Array.of(target), Int32Array.from(kept)].map((list) =>
            place(core, list),
          ) as [number, number, number];
          kernels.gatherQ8(...lists, kept.length, headSize, PAGE_SHIFT, renumber);
          const read = expand(target, kept.length);
          assertSame(
            kept.map((_, slot) => [read("keys", slot), read("values", slot)]),
            wanted,
          );
          for (const address of new Set([...pages, target, ...lists])) core.free(address);
        }
      }
    });

    for (const group of [1, 2, 3, 4]) {
      test(`heads of ${headSize}, groups of ${group}: one row's attention`, () => {
        for (const lengths of [
          [1, 7],
          [200, 33],
          [64, 95],
        ]) {
          attention(core, draw, { headSize, group, lengths, long, short });
        }
      });
    }
  }

  test.run();
}

/** Appends all entries through the tape, attends with one row, and compares with f64 over the pages' own content. */
function attention(
  core: Core,
  draw: ReturnType<typeof normals>,
  layer: { headSize: number; group: number; lengths: readonly number[]; long: number; short: number },
): void {
  const { headSize, group, lengths, long, short } = layer;
  const { kernels } = core;
  const heads = lengths.length;
  const longest = Math.max(...lengths);
  const pageBytes = kernels.pageBytesQ8(headSize, PAGE_SHIFT);
  const pages = lengths.map((length) =>
    Array.from({ length: Math.ceil(length / PAGE_ENTRIES) }, () => {
      const page = core.allocate(pageBytes);
      // What no entry has written must not matter: as scales, these bits are NaN.
      core.bytes(page, pageBytes).fill(0xff);
      return page;
    }),
  );
  const [keys, values] = [draw(longest * heads * headSize, 2), draw(longest * heads * headSize)];
  const queries = draw(heads * group * headSize, 2);
  const outputs = place(core, new Float32Array(queries.length));
  const record = core.allocate(bytesOf(LayerRecord));
  const scale = 1 / Math.sqrt(headSize);
  const address = {
    keys: place(core, keys),
    values: place(core, values),
    queries: place(core, queries),
    segments: place(core, Uint32Array.of(0, 1, 1, 0)),
  };
  const lists = pages.map((list) => place(core, Uint32Array.from(list)));
  const scratch = core.allocate(kernels.scratchBytes(headSize));
  const parts = core.allocate(kernels.rowPartsBytes(heads * group, headSize));
  const state = core.allocate(64);
  const table = core.allocate(heads * 16);
  const run = (threads: number, step: (tape: Tape) => void) => {
    const tape = new Tape();
    step(tape);
    const pointer = tape.write(core);
    for (let thread = 0; thread < threads; thread++) {
      core.bytes(scratch, kernels.scratchBytes(headSize)).fill(0xff);
      kernels.run(pointer, thread, threads, scratch, state);
    }
    core.free(pointer);
  };
  // Each head takes its own last entries of the batch: one append for each, the others' lengths standing still.
  for (const [head, length] of lengths.entries()) {
    core.u32(table, heads * 4).set(lists.flatMap((list) => [list, length, 0, 0]));
    writeRecord(core, record, LayerRecord, {
      ...address,
      queries: address.queries,
      keys: address.keys + head * headSize * 4,
      values: address.values + head * headSize * 4,
      outputs,
      heads: table,
      segmentCount: 1,
      kvHeads: 1,
      group,
      headSize,
      pageShift: PAGE_SHIFT,
      scale: bitsOf(scale),
      statistics: 0,
      scores: 0,
      factors: 0,
      stored: table + head * 16,
      rotations: long,
      shortRotations: short,
      keyFactor: bitsOf(1),
    });
    // One KV head's rows lie side by side when it is the only one.
    const own = (list: Float32Array) =>
      place(
        core,
        Float32Array.from({ length: length * headSize }, (_, at) => {
          const row = Math.floor(at / headSize);
          return list[(row * heads + head) * headSize + (at % headSize)]!;
        }),
      );
    const [ownKeys, ownValues] = [own(keys), own(values)];
    core.u32(record + LayerRecord.keys * 4, 1)[0] = ownKeys;
    core.u32(record + LayerRecord.values * 4, 1)[0] = ownValues;
    run(2, (tape) => tape.append("q8", record, length));
    core.free(ownKeys);
    core.free(ownValues);
  }
  core.u32(table, heads * 4).set(lists.flatMap((list, head) => [list, lengths[head]!, 0, 0]));
  core.u32(record + LayerRecord.kvHeads * 4, 1)[0] = heads;
  core.u32(record + LayerRecord.stored * 4, 1)[0] = table;

  let single: Float32Array | undefined;
  for (const threads of [1, 2, 5]) {
    core.f32(outputs, queries.length).fill(Number.NaN);
    run(threads, (tape) => tape.attendRow("q8", record, parts));
    run(threads, (tape) => tape.mergeParts(record, parts));
    single ??= core.f32(outputs, queries.length).slice();
    assertSame(core.f32(outputs, queries.length), single, `${threads} threads`);
  }

  const expanded = core.allocate(PAGE_ENTRIES * headSize * 8);
  for (const [head, length] of lengths.entries()) {
    const [headKeys, headValues]: [Float32Array[], Float32Array[]] = [[], []];
    for (const [index, page] of pages[head]!.entries()) {
      const count = Math.min(PAGE_ENTRIES, length - index * PAGE_ENTRIES);
      kernels.expandQ8(page, expanded, count, headSize, PAGE_SHIFT, long, 1);
      for (let slot = 0; slot < count; slot++) {
        headKeys.push(core.f32(expanded + slot * headSize * 4, headSize).slice());
        headValues.push(core.f32(expanded + (PAGE_ENTRIES + slot) * headSize * 4, headSize).slice());
      }
    }
    const keySteps = Math.max(...headKeys.map(largestMagnitude)) / 127;
    const largestValue = Math.max(...headValues.map(largestMagnitude));
    for (let each = 0; each < group; each++) {
      const at = (head * group + each) * headSize;
      const query = queries.subarray(at, at + headSize);
      const scores = headKeys.map((key) => key.reduce((sum, value, i) => sum + value * query[i]!, 0) * scale);
      const largest = Math.max(...scores);
      const powers = scores.map((score) => Math.exp(score - largest));
      const total = powers.reduce((a, b) => a + b, 0);
      const expected = Float64Array.from(query, (_, i) =>
        powers.reduce((sum, power, index) => sum + (power / total) * headValues[index]![i]!, 0),
      );
      // A turned key is off by its last bit, a 128th of a step, and by 127 quants of its rotation's half bit of 14, twice;
      // a query by half a step of 4,096.
      const querySum = query.reduce((sum, value) => sum + Math.abs(value), 0);
      const queryStep = largestMagnitude(query) / 4096;
      const keySum = Math.max(...headKeys.map((key) => key.reduce((sum, value) => sum + Math.abs(value), 0)));
      const score = scale * (querySum * keySteps * (1 / 128 + 127 / 16_384) + keySum * queryStep * 0.5) + 1e-5;
      // Every weight moves by e^±score, over sums that move as much; in integers it is off by half of 1/32,767 of its page's largest.
      const allowed = largestValue * (Math.exp(2 * score) - 1 + (PAGE_ENTRIES * 0.5) / 32_767);
      assertNear(single!.subarray(at, at + headSize), expected, () => allowed, `head ${head}, query ${each}`);
    }
  }
  for (const pointer of [
    ...pages.flat(),
    ...lists,
    ...Object.values(address),
    outputs,
    record,
    scratch,
    parts,
    state,
  ]) {
    core.free(pointer);
  }
  for (const pointer of [table, expanded]) core.free(pointer);
}
