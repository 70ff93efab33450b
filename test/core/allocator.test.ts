/** The allocator against a map of every 64 bytes, and what it says when there is no more. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Allocator } from "../../src/core/allocator.ts";
import { MemoryError } from "../../src/errors.ts";
import { makeCore } from "../support/core.ts";
import { integers } from "../support/random.ts";

const test = suite("allocator");
const memoryOf = (initial: number, maximum: number) => new WebAssembly.Memory({ initial, maximum });

test("stretches are aligned, start behind the heap base, and count as multiples of 64", () => {
  const allocator = new Allocator(memoryOf(1, 2), 1001);
  assert.is(allocator.allocate(1), 1024);
  assert.is(allocator.allocate(0), 1088);
  assert.is(allocator.allocate(65), 1152);
  assert.is(allocator.bytesInUse, 256);
  assert.is(allocator.allocate(64), 1280);
  allocator.free(1024);
  allocator.free(1152);
  assert.is(allocator.bytesInUse, 128);
  assert.is(allocator.peakBytes, 320);
});

test("free neighbours join on both sides, and at the top", () => {
  const allocator = new Allocator(memoryOf(1, 2), 64);
  const [a, b, c, d] = Array.from({ length: 4 }, () => allocator.allocate(64)) as [number, number, number, number];
  allocator.free(a);
  allocator.free(c);
  assert.is(allocator.allocate(128), 320);
  allocator.free(b);
  assert.is(allocator.allocate(192), a);
  allocator.free(320);
  allocator.free(d);
  allocator.free(a);
  assert.is(allocator.bytesInUse, 0);
  assert.is(allocator.allocate(2 ** 17 - 64), 64);
});

test("random allocations and frees: always the lowest address that fits, and the books right", () => {
  const memory = memoryOf(1, 512);
  const base = 1024;
  const allocator = new Allocator(memory, base);
  const random = integers(3);
  /** Which stretch holds each 64 bytes; 0 where nothing does. */
  const map = new Uint16Array(2 ** 18);
  const live: { pointer: number; units: number; id: number }[] = [];
  let [inUse, peak] = [0, 0];
  const words = (pointer: number, units: number) => new Uint32Array(memory.buffer, pointer, units * 16);
  for (let step = 1; step <= 6000; step++) {
    if (live.length > 0 && random(100) < (step % 2000 < 1000 ? 40 : 58)) {
      const { pointer, units, id } = live.splice(random(live.length), 1)[0]!;
      assert.ok(
        words(pointer, units).every((word) => word === id),
        `stretch ${id} was written by another`,
      );
      allocator.free(pointer);
      map.fill(0, pointer / 64, pointer / 64 + units);
      inUse -= units * 64;
    } else {
      const bytes = random(8) === 0 ? random(20_000) : random(700);
      const units = Math.ceil(Math.max(1, bytes) / 64);
      let expected = base / 64;
      for (let length = 0, unit = expected; length < units; unit++) {
        length = map[unit] ? 0 : length + 1;
        expected = unit + 1 - length;
      }
      const pointer = allocator.allocate(bytes);
      assert.is(pointer, expected * 64, `step ${step}`);
      words(pointer, units).fill(step);
      map.fill(step, expected, expected + units);
      live.push({ pointer, units, id: step });
      inUse += units * 64;
      peak = Math.max(peak, inUse);
    }
    assert.is(allocator.bytesInUse, inUse);
    assert.is(allocator.peakBytes, peak);
  }
  for (const { pointer } of live) allocator.free(pointer);
  assert.is(allocator.bytesInUse, 0);
  assert.is(allocator.allocate(memory.buffer.byteLength - base), base);
});

test("memory that cannot grow, and the 4 GiB of 32-bit addresses", () => {
  const allocator = new Allocator(memoryOf(1, 3), 64);
  const pointer = allocator.allocate(100_000);
  const fails = (bytes: number, message: RegExp) =>
    assert.throws(
      () => allocator.allocate(bytes),
      (error: unknown) => error instanceof MemoryError && message.test(error.message),
    );
  fails(100_000, /131072 bytes cannot grow to 200128 \(100032 were asked for\)/);
  fails(2 ** 32, /\(4294967296 were asked for\)/);
  fails(Number.MAX_SAFE_INTEGER, /cannot grow to/);
  assert.is(allocator.bytesInUse, 100_032);
  assert.ok(allocator.allocate(90_000) > pointer);
});

test("what was not given out cannot be freed, nor anything twice", () => {
  const allocator = new Allocator(memoryOf(1, 1), 64);
  const pointer = allocator.allocate(640);
  assert.throws(() => allocator.free(pointer + 64), /Address 128 is not given out/);
  allocator.free(pointer);
  assert.throws(() => allocator.free(pointer), /Address 64 is not given out/);
  assert.is(allocator.bytesInUse, 0);
});

test("lengths that are none leave the books as they were", () => {
  const memory = memoryOf(1, 4);
  const allocator = new Allocator(memory, 64);
  const [kept, hole] = [allocator.allocate(100), allocator.allocate(640)];
  allocator.allocate(64);
  allocator.free(hole);
  const wrong = [
    Number.NaN,
    -1,
    -64,
    0.5,
    64.5,
    Infinity,
    -Infinity,
    2 ** 53,
    1e300,
    undefined,
    null,
    "64",
    64n,
    {},
    [64],
  ];
  for (const length of wrong) {
    for (const ask of [() => allocator.allocate(length as number), () => allocator.reserve(length as number)]) {
      assert.throws(ask, (error: unknown) => error instanceof MemoryError && /whole number/.test(error.message));
    }
  }
  for (const pointer of [Number.NaN, undefined, 0, -64, kept + 1, hole, kept + 0.5]) {
    assert.throws(
      () => allocator.free(pointer as number),
      (error: unknown) => error instanceof MemoryError && /not given out/.test(error.message),
    );
  }
  allocator.reserve(0);
  allocator.reserve(2 ** 40);
  assert.is(memory.buffer.byteLength, 65_536);
  assert.is(allocator.bytesInUse, 192);
  assert.is(allocator.peakBytes, 832);
  assert.is(allocator.allocate(640), hole);
  allocator.free(kept);
  assert.is(allocator.allocate(128), kept);
});

test("the last page of 32-bit addresses is never given out", () => {
  const core = makeCore();
  assert.throws(
    () => core.allocate(2 ** 32 - 65_536 - core.kernels.heapBase() + 64),
    (error: unknown) => error instanceof MemoryError && /cannot grow/.test(error.message),
  );
  assert.is(core.bytesInUse, 0);
});

test("a core lends memory and takes it back after an error too", () => {
  const core = makeCore();
  assert.is(core.allocate(1) % 64, 0);
  assert.is(
    core.borrow({ left: 100, right: 40 }, ({ left, right }) => {
      assert.is(core.bytesInUse, 64 + 128 + 64);
      assert.is(right, left + 128);
      core.f32(left, 25).fill(1);
      return 7;
    }),
    7,
  );
  assert.throws(() =>
    core.borrow({ all: 100 }, () => {
      throw new Error("inside");
    }),
  );
  assert.is(core.bytesInUse, 64);
  assert.is(core.peakBytes, 256);
});

test.run();
