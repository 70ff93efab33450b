/** Who owns which memory: regions and scratches free what they hold, once, and hold nothing where memory lacks. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Region, Scratch } from "../../src/core/region.ts";
import { MemoryError } from "../../src/errors.ts";
import { makeCore } from "../support/core.ts";

const test = suite("regions");
const TOO_MUCH = 2 ** 33;

test("a region frees all that it holds, and may be filled again", () => {
  const core = makeCore();
  const other = core.allocate(64);
  const region = new Region(core);
  for (let round = 0; round < 2; round++) {
    const pointers = [10, 100, 1000].map((bytes) => region.allocate(bytes));
    assert.is(new Set(pointers).size, 3);
    assert.is(core.bytesInUse, 64 + 64 + 128 + 1024);
    assert.throws(
      () => region.allocate(TOO_MUCH),
      (error: unknown) => error instanceof MemoryError,
    );
    assert.is(core.bytesInUse, 64 + 64 + 128 + 1024);
    region.free();
    assert.is(core.bytesInUse, 64);
    region.free();
  }
  core.free(other);
  assert.is(core.bytesInUse, 0);
});

test("a scratch's parts are aligned, do not overlap and go with the next cut", () => {
  const core = makeCore();
  const scratch = new Scratch<"left" | "empty" | "right">(core);
  const first = scratch.cut({ left: 65, empty: 0, right: 1 });
  assert.is(first.left % 64, 0);
  assert.is(first.empty, first.left + 128);
  assert.is(first.right, first.left + 128);
  assert.is(core.bytesInUse, 192);
  const peak = core.peakBytes;
  // The stretch before it has gone already, so that its place can be taken.
  assert.is(scratch.cut({ left: 1, empty: 0, right: 100 }).left, first.left);
  assert.is(core.peakBytes, peak);
  assert.throws(
    () => scratch.cut({ left: TOO_MUCH, empty: 0, right: 0 }),
    (error: unknown) => error instanceof MemoryError,
  );
  assert.is(core.bytesInUse, 0);
  scratch.free();
  assert.is(core.bytesInUse, 0);
});

test.run();
