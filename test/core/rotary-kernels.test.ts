/** Gathering and turning of rows, in both builds: places, values copied bit for bit, keys turned as f64 says. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { assertNear, ROUNDING } from "../support/assertions.ts";
import { builds, guarded, makeCore, place } from "../support/core.ts";
import { integers, normals } from "../support/random.ts";

const frequency = (i: number, half: number) => 10_000 ** (-i / half);

/** Rotation rows of the positions from 0 on: `half` cosines, then `half` sines. */
function rotations(count: number, half: number): Float32Array {
  return Float32Array.from({ length: count * half * 2 }, (_, at) => {
    const [position, i] = [Math.floor(at / (2 * half)), at % (2 * half)];
    const angle = position * frequency(i % half, half);
    return i < half ? Math.cos(angle) : Math.sin(angle);
  });
}

/** A row turned by `distance` positions, forwards or back. */
function turned(row: Float32Array, distance: number, half: number): Float64Array {
  const result = Float64Array.from(row);
  for (let i = 0; i < half; i++) {
    const angle = distance * frequency(i, half);
    result[i] = row[i]! * Math.cos(angle) - row[i + half]! * Math.sin(angle);
    result[i + half] = row[i + half]! * Math.cos(angle) + row[i]! * Math.sin(angle);
  }
  return result;
}

/** Two products and a sum of rounded factors, of values up to 6. */
const TOLERANCE = 4 * ROUNDING * 8;

for (const build of builds) {
  const test = suite(`rotary kernels, ${build}`);
  const core = makeCore(build);
  const { kernels } = core;
  const draw = normals(8);
  const whole = integers(9);

  test("gatherRows, rows of any width, again and again", () => {
    for (const bytes of [4, 12, 16, 64]) {
      const width = bytes / 4;
      const values = draw(10 * width);
      const indices = Int32Array.from({ length: 14 }, () => whole(10));
      const target = guarded(core, 14 * width);
      kernels.gatherRows(place(core, values), place(core, indices), target.pointer, 14, bytes);
      const expected = [...indices].flatMap((index) => [...values.subarray(index * width, (index + 1) * width)]);
      assert.equal([...core.f32(target.pointer, 14 * width)], expected);
      assert.ok(target.intact());
    }
  });

  test("turnRows: any half, any order of rotation rows, the rest of a head untouched", () => {
    for (const [headSize, half] of [
      [64, 32],
      [7, 3],
      [16, 4],
      [2, 1],
      [80, 40],
      [24, 6],
    ] as const) {
      const rows = draw(9 * headSize);
      const indices = Int32Array.from({ length: 9 }, () => whole(50));
      const target = guarded(core, rows.length);
      core.f32(target.pointer, rows.length).set(rows);
      kernels.turnRows(target.pointer, 9, headSize, half, place(core, rotations(50, half)), place(core, indices));
      const result = core.f32(target.pointer, rows.length);
      for (const [row, index] of indices.entries()) {
        const source = rows.subarray(row * headSize, (row + 1) * headSize);
        const own = result.subarray(row * headSize, (row + 1) * headSize);
        assertNear(own, turned(source, index, half), () => TOLERANCE, `half ${half}, row ${row}`);
        assert.equal(own.slice(2 * half), source.slice(2 * half));
      }
      assert.ok(target.intact());
    }
  });

  /** Pages of 8 entries: keys, then values; filled with `entries` drawn rows. */
  function makePages(entries: number, headSize: number, spare: number) {
    const pages = Array.from({ length: Math.ceil(entries / 8) + spare }, () => guarded(core, 16 * headSize));
    const keys = draw(entries * headSize);
    const values = draw(entries * headSize);
    for (let entry = 0; entry < entries; entry++) {
      const at = pages[entry >> 3]!.pointer + (entry & 7) * headSize * 4;
      core.f32(at, headSize).set(keys.subarray(entry * headSize, (entry + 1) * headSize));
      core.f32(at + 32 * headSize, headSize).set(values.subarray(entry * headSize, (entry + 1) * headSize));
    }
    return {
      pages,
      keys,
      values,
      table: place(
        core,
        Uint32Array.from(pages, ({ pointer }) => pointer),
      ),
    };
  }

  for (const turning of [true, false]) {
    for (const inPlace of [true, false]) {
      test(`gatherTurn ${inPlace ? "in place" : "to other pages"}, ${turning ? "turning" : "as they are"}`, () => {
        for (let round = 0; round < 40; round++) {
          const [headSize, half] = (
            [
              [16, 8],
              [32, 8],
              [64, 32],
              [80, 40],
            ] as const
          )[round % 4]!;
          const entries = 1 + whole(60);
          const source = makePages(entries, headSize, 0);
          const density = whole(5) / 4;
          const kept = Int32Array.from(Array(entries).keys()).filter(() => whole(100) < 100 * density);
          const target = inPlace ? source : makePages(kept.length, headSize, 0);
          const rows = turning ? place(core, rotations(60, half)) : 0;
          kernels.gatherTurn(source.table, target.table, place(core, kept), kept.length, headSize, half, rows, 3, 0);
          for (const [spot, index] of kept.entries()) {
            const at = target.pages[spot >> 3]!.pointer + (spot & 7) * headSize * 4;
            const key = core.f32(at, headSize).slice();
            const old = source.keys.slice(index * headSize, (index + 1) * headSize);
            if (!turning || spot === index) assert.equal(key, old);
            else {
              assertNear(key, turned(old, spot - index, half), () => TOLERANCE, `entry ${index} at ${spot}`);
              assert.equal(key.slice(2 * half), old.slice(2 * half));
            }
            const value = source.values.slice(index * headSize, (index + 1) * headSize);
            assert.equal(core.f32(at + 32 * headSize, headSize).slice(), value);
          }
          for (const page of [...source.pages, ...target.pages]) assert.ok(page.intact());
          if (!inPlace) {
            assert.equal(core.f32(source.pages[0]!.pointer, headSize).slice(), source.keys.slice(0, headSize));
          }
        }
      });
    }
  }

  test("a key turned again and again drifts by 3e-8 of its size a turn", () => {
    const [headSize, half, turns] = [64, 32, 3000];
    const rows = place(core, rotations(64, half));
    for (const distance of [1, 7, 63]) {
      const source = makePages(64, headSize, 0);
      const target = makePages(1, headSize, 0);
      const from = source.pages[distance >> 3]!.pointer + (distance & 7) * headSize * 4;
      const to = target.pages[0]!.pointer;
      const first = core.f32(from, headSize).slice();
      const kept = place(core, Int32Array.of(distance));
      for (let turn = 0; turn < turns; turn++) {
        kernels.gatherTurn(source.table, target.table, kept, 1, headSize, half, rows, 3, 0);
        core.f32(from, headSize).set(core.f32(to, headSize));
      }
      const size = first.slice(0, half).reduce((most, low, i) => Math.max(most, Math.hypot(low, first[half + i]!)), 0);
      const expected = turned(first, -distance * turns, half);
      assertNear(core.f32(to, headSize), expected, () => 3e-8 * turns * size, `${distance}`);
    }
  });

  test.run();
}
