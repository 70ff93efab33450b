/** What a cache holds after appending, keeping, forking and failing, entry by entry. */
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { KeyValueCache } from "../../src/cache/cache.ts";
import { f32Pages } from "../../src/cache/page-form.ts";
import { PagePool } from "../../src/cache/pages.ts";
import { Core } from "../../src/core/core.ts";
import { ArgumentError, MemoryError } from "../../src/errors.ts";
import { rotaryFrequencies } from "../../src/rotary/frequencies.ts";
import { RotationRows } from "../../src/rotary/rotation-rows.ts";
import { assertSame } from "../support/assertions.ts";
import { normals } from "../support/random.ts";
import { Mirror, plainHead } from "./support.ts";

const test = suite("cache");

/** A core that gives out only so many stretches more. */
class ScarceCore extends Core {
  left = Infinity;

  override allocate(byteLength: number): number {
    if (this.left === 0) throw new MemoryError("no more");
    this.left--;
    return super.allocate(byteLength);
  }
}

const core = new ScarceCore(new WebAssembly.Module(readFileSync("dist/core.wasm")));
const headSize = 16;
const pool = new PagePool(core, f32Pages(core, plainHead(headSize)));
const frequencies = rotaryFrequencies({ type: "default", theta: 10_000 }, headSize);
const rotations = new RotationRows(core, frequencies);
const draw = normals(16);
const made: Mirror[] = [];
const make = (scheme: "contiguous" | "original" = "contiguous") => {
  const mirror = new Mirror(pool, frequencies, rotations, { layers: 2, kvHeads: 3, scheme });
  made.push(mirror);
  return mirror;
};
const fork = (mirror: Mirror) => {
  const copy = mirror.fork();
  made.push(copy);
  return copy;
};
const all = (length: number) => Int32Array.from(Array(length).keys());
const snapshot = (cache: KeyValueCache) =>
  [0, 1].flatMap((layer) =>
    [0, 1, 2].map((head) => [cache.keys(layer, head), cache.values(layer, head), cache.positions(layer, head)]),
  );

test.after.each(() => {
  for (const { cache } of made.splice(0)) cache.dispose();
  rotations.dispose();
  assert.is(pool.pageCount, 0);
  assert.is(core.bytesInUse, 0);
});

test("rows appended in pieces of any size", () => {
  const mirror = make();
  mirror.check(0, "empty");
  for (const rows of [1, 30, 1, 1, 64, 31, 33, 200]) {
    mirror.append(rows, draw);
    mirror.check(0, `${rows} more`);
  }
  assert.is(mirror.cache.absolutePosition, 361);
  assert.is(mirror.cache.longest, 361);
  assert.ok(mirror.cache.isEven);
});

test("keeping everything changes no bit", () => {
  for (const scheme of ["contiguous", "original"] as const) {
    const mirror = make(scheme);
    mirror.append(100, draw);
    const before = snapshot(mirror.cache);
    const pages = mirror.cache.pages;
    mirror.keep((_, length) => all(length));
    assertSame(snapshot(mirror.cache), before);
    assert.equal(mirror.cache.pages, pages);
  }
});

test("heads keep different entries and numbers of them; pages fall free at once", () => {
  for (const scheme of ["contiguous", "original"] as const) {
    const mirror = make(scheme);
    mirror.append(150, draw);
    const lists = [[0, 149], [], [...all(32)], [5], [...all(150)], [...all(150)].filter((entry) => entry % 3 === 2)];
    mirror.keep((index) => Int32Array.from(lists[index]!));
    mirror.check(3e-7, scheme);
    const { cache } = mirror;
    assert.equal(
      [0, 1, 2, 3, 4, 5].map((index) => cache.length(Math.floor(index / 3), index % 3)),
      lists.map((list) => list.length),
    );
    assert.is(
      pool.pageCount,
      made.reduce((sum, { cache }) => sum + cache.pages.length, 0),
    );
    assert.is(cache.pages.length, 1 + 0 + 1 + 1 + 5 + 2);
    assert.not.ok(cache.isEven);
    assert.is(cache.longest, 150);
    // The text goes on behind unequal heads.
    mirror.append(40, draw);
    mirror.check(3e-7, `${scheme}, going on`);
    assert.is(cache.absolutePosition, 190);
    mirror.keep((_, length) => all(length).filter((entry) => entry % 2 === 1));
    mirror.check(6e-7, `${scheme}, again`);
  }
});

test("indices that do not ascend or point nowhere are refused, and nothing changes", () => {
  const mirror = make();
  mirror.append(40, draw);
  const before = snapshot(mirror.cache);
  for (const wrong of [[3, 3], [4, 2], [-1], [40], [0, 1, 2 ** 31 - 1]]) {
    const keep = () =>
      mirror.cache.keep((layer, head) => (layer === 1 && head === 2 ? Int32Array.from(wrong) : all(7)));
    assert.throws(
      keep,
      (error: unknown) => error instanceof ArgumentError && /Layer 1, head 2.*below 40/.test(error.message),
    );
    assertSame(snapshot(mirror.cache), before);
  }
  assert.throws(() => mirror.cache.length(2, 0), /Layer 2, head 0: there are 2 layers of 3 KV heads/);
  assert.throws(() => mirror.cache.keys(0, -1), /Layer 0, head -1/);
  assert.throws(() => mirror.cache.values(0.5, 0), /Layer 0.5, head 0/);
});

test("forks do not see each other, whichever writes first", () => {
  for (const order of [0, 1]) {
    const first = make();
    first.append(70, draw);
    const second = fork(first);
    const sides = order ? [first, second] : [second, first];
    for (const side of sides) {
      side.append(3 + order, draw);
      for (const mirror of [first, second]) mirror.check(0);
    }
    sides[0]!.keep((_, length) => all(length).filter((entry) => entry % 4 !== 1));
    for (const mirror of [first, second]) mirror.check(3e-7);
    sides[1]!.keep((index, length) => all(length).slice(index));
    for (const mirror of [first, second]) mirror.check(3e-7);
    sides[0]!.append(50, draw);
    for (const mirror of [first, second]) mirror.check(3e-7);
  }
});

test("a fork shares full pages, and copies only the one that it writes to", () => {
  const mirror = make();
  mirror.append(70, draw);
  const pages = pool.pageCount;
  assert.is(pages, 18);
  const copy = fork(mirror);
  assert.is(pool.pageCount, pages);
  copy.append(1, draw);
  assert.is(pool.pageCount, pages + 6);
  const whole = make();
  whole.append(64, draw);
  const before = pool.pageCount;
  fork(whole).append(1, draw);
  assert.is(pool.pageCount, before + 6, "a new page each, nothing copied");
});

test("a compressed fork leaves its parent alone, and outlives it", () => {
  const parent = make();
  parent.append(100, draw);
  const before = snapshot(parent.cache);
  const child = fork(parent);
  child.keep((_, length) => all(length).filter((entry) => entry > 50));
  assertSame(snapshot(parent.cache), before);
  const grandchild = fork(child);
  parent.cache.dispose();
  child.cache.dispose();
  grandchild.check(3e-7);
  grandchild.append(100, draw);
  grandchild.check(3e-7);
});

test("what is reserved and not committed leaves no trace", () => {
  const mirror = make();
  mirror.append(40, draw);
  const twin = fork(mirror);
  const before = snapshot(mirror.cache);
  const bytes = mirror.cache.byteLength;
  mirror.write(500, draw);
  assert.is(mirror.cache.absolutePosition, 40);
  assertSame(snapshot(mirror.cache), before);
  mirror.cache.trim();
  assertSame(snapshot(mirror.cache), before);
  assert.is(mirror.cache.pages.length, 12);
  assert.is(pool.pageCount, 12 + 6, "the last pages, copied from the fork's");
  // The table keeps its size.
  assert.ok(mirror.cache.byteLength - bytes < 1024);
  twin.check(0);
});

test("wherever memory runs out, the cache is as it was", () => {
  const mirror = make();
  mirror.append(100, draw);
  const copy = fork(mirror);
  rotations.fromZero(200);
  const operations: [string, (mirror: Mirror) => void][] = [
    ["compression of a fork", ({ cache }) => cache.keep((_, head) => all(90).slice(head))],
    ["room for more", ({ cache }) => void cache.reserve(90)],
  ];
  for (const [name, run] of operations) {
    let failures = 0;
    for (let allowed = 0; ; allowed++) {
      const victim = copy.fork();
      const before = snapshot(victim.cache);
      core.left = allowed;
      try {
        run(victim);
        break;
      } catch (error) {
        assert.instance(error, MemoryError);
        failures++;
      } finally {
        core.left = Infinity;
        if (failures > allowed) {
          victim.cache.trim();
          assertSame(snapshot(victim.cache), before, name);
          victim.check(0, name);
        }
        victim.cache.dispose();
      }
    }
    assert.ok(failures > 5, `${name} failed ${failures} times`);
    mirror.check(0);
    copy.check(0);
  }
});

test.run();
