/** A thousand seeded operations on caches and their forks: the caches' own bytes and the allocator's agree to the byte. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { f32Pages } from "../../src/cache/page-form.ts";
import { PagePool } from "../../src/cache/pages.ts";
import { rotaryFrequencies } from "../../src/rotary/frequencies.ts";
import { RotationRows } from "../../src/rotary/rotation-rows.ts";
import { makeCore } from "../support/core.ts";
import { integers, normals } from "../support/random.ts";
import { Mirror, plainHead } from "./support.ts";

const test = suite("cache books");

/** Bytes of the caches together: tables of their own, and pages that several hold counted once. */
function unionBytes(caches: readonly Mirror[], pool: PagePool): number {
  const pages = new Set(caches.flatMap(({ cache }) => cache.pages));
  const tables = caches.reduce((sum, { cache }) => sum + cache.byteLength - cache.pages.length * pool.pageBytes, 0);
  return tables + pages.size * pool.pageBytes;
}

for (const scheme of ["contiguous", "original"] as const) {
  test(`a thousand operations, ${scheme}`, () => {
    const core = makeCore();
    const headSize = 16;
    const pool = new PagePool(core, f32Pages(core, plainHead(headSize)));
    const frequencies = rotaryFrequencies({ type: "default", theta: 10_000 }, headSize);
    const rotations = new RotationRows(core, frequencies);
    rotations.fromZero(1024);
    const books = core.bytesInUse;
    const random = integers(scheme === "contiguous" ? 21 : 22);
    const draw = normals(23);
    const origin = { layers: 2, kvHeads: 2, scheme } as const;
    const caches: Mirror[] = [];
    const counts = { made: 0, appended: 0, kept: 0, forked: 0, disposed: 0, abandoned: 0 };
    for (let step = 0; step < 1000; step++) {
      const mirror = caches[random(caches.length)];
      const action = random(100);
      if (!mirror || (action < 4 && caches.length < 8)) {
        caches.push(new Mirror(pool, frequencies, rotations, origin));
        counts.made++;
      } else if (action < 50) {
        // Now and then to the end of a page exactly.
        const rest = 32 - (mirror.cache.length(0, 0) % 32);
        mirror.append(random(4) === 0 ? rest : 1 + random(40), draw);
        counts.appended++;
      } else if (action < 55) {
        // What Mirror counts already is taken back with the rows.
        const heads = mirror.heads.map((entries) => entries.length);
        mirror.write(1 + random(60), draw);
        mirror.cache.trim();
        for (const [index, length] of heads.entries()) mirror.heads[index]!.length = length;
        counts.abandoned++;
      } else if (action < 75 || mirror.cache.longest > 500) {
        const same = random(2) === 0;
        const part = 1 + random(10);
        const length = mirror.cache.longest;
        const common = Int32Array.from(Array(length).keys()).filter(() => random(10) < part);
        const even = mirror.cache.isEven;
        mirror.keep((_, length) =>
          same && even ? common : Int32Array.from(Array(length).keys()).filter(() => random(10) < part),
        );
        counts.kept++;
      } else if (action < 88 && caches.length < 8) {
        caches.push(mirror.fork());
        counts.forked++;
      } else {
        mirror.cache.dispose();
        caches.splice(caches.indexOf(mirror), 1);
        counts.disposed++;
      }
      assert.is(core.bytesInUse - books, unionBytes(caches, pool), `step ${step}`);
      assert.is(pool.pageCount, new Set(caches.flatMap(({ cache }) => cache.pages)).size, `step ${step}`);
      if (step % 20 === 0)
        for (const [index, each] of caches.entries()) each.check(1e-5, `step ${step}, cache ${index}`);
    }
    assert.ok(
      Object.values(counts).every((count) => count > 20),
      JSON.stringify(counts),
    );
    for (const each of caches) {
      each.check(1e-5);
      each.cache.dispose();
    }
    assert.is(pool.pageCount, 0);
    assert.is(core.bytesInUse, books);
    rotations.dispose();
    assert.is(core.bytesInUse, 0);
  });
}

test.run();
