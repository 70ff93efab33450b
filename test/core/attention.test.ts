/** Attention through the tape, in both builds, against softmax over whole rows in f64: text, questions, one row, scores. */
import { suite } from "uvu";
import { assertNear, assertSame, ROUNDING } from "../support/assertions.ts";
import { builds, makeCore } from "../support/core.ts";
import { normals } from "../support/random.ts";
import { AttentionCase, type Shape } from "./attention-support.ts";

/** Scores of up to 10 in size, each a sum of up to 128 products, err by 2e-6; outputs and weights follow them. */
const TOLERANCE = 4e-6;

const heads = { few: [5, 0, 33], even: [64, 64], long: [100, 31, 32] };
const shapes: [string, Omit<Shape, "group" | "headSize" | "pageShift">][] = [
  ["one row", { before: heads.few, textRows: 1, questions: [] }],
  ["text alone", { before: [0, 0], textRows: 40, questions: [] }],
  ["text behind unequal heads", { before: heads.long, textRows: 7, questions: [] }],
  ["a question alone", { before: heads.few, textRows: 0, questions: [6] }],
  ["a question over two blocks", { before: heads.even, textRows: 0, questions: [37] }],
  ["text and questions", { before: heads.long, textRows: 33, questions: [9, 1, 35] }],
];
const sizes = [
  { group: 1, headSize: 16, pageShift: 5 },
  { group: 2, headSize: 64, pageShift: 5 },
  { group: 3, headSize: 48, pageShift: 4 },
  { group: 4, headSize: 128, pageShift: 6 },
];

for (const build of builds) {
  const test = suite(`attention, ${build}`);
  const draw = normals(10);

  for (const [name, batch] of shapes) {
    for (const size of sizes) {
      const shape = { ...batch, ...size };
      const title = `${name}, ${size.group} query heads a KV head of ${size.headSize}`;
      test(title, () => {
        const layer = new AttentionCase(makeCore(build), draw, shape, "none");
        const { record } = layer;
        if (shape.textRows) layer.run(1, (tape) => tape.append("f32", record, shape.textRows));
        layer.run(1, (tape) => tape.attend(record));
        const outputs = layer.outputs();
        assertNear(outputs, layer.expected().outputs, () => TOLERANCE);
        // Threads share the tiles: nothing changes.
        layer.run(3, (tape) => tape.attend(record));
        assertSame(layer.outputs(), outputs);
      });
    }
  }

  for (const size of [...sizes, { group: 5, headSize: 32, pageShift: 5 }]) {
    test(`the path for a single row, groups of ${size.group}`, () => {
      for (const before of [[0], [200, 3, 31, 32], [63, 64, 65]]) {
        const core = makeCore(build);
        const layer = new AttentionCase(core, draw, { ...size, before, textRows: 1, questions: [] }, "none");
        const { record } = layer;
        layer.run(1, (tape) => tape.append("f32", record, 1));
        layer.run(1, (tape) => tape.attend(record));
        const batch = layer.outputs();
        assertNear(batch, layer.expected().outputs, () => TOLERANCE);
        const parts = core.allocate(core.kernels.rowPartsBytes(layer.queryHeads, size.headSize));
        let single: Float32Array | undefined;
        for (const threads of [1, 2, 5]) {
          core.f32(layer.pointers.outputs, batch.length).fill(Number.NaN);
          layer.run(
            threads,
            (tape) => tape.attendRow("f32", record, parts),
            (tape) => tape.mergeParts(record, parts),
          );
          single ??= layer.outputs();
          assertNear(single, batch, () => TOLERANCE, `${before}`);
          assertSame(layer.outputs(), single, `${threads} threads, ${before}`);
        }
      }
    });
  }

  test("thousands of equal entries: rounding grows with the pages, not with the entries", () => {
    const core = makeCore(build);
    const [entries, headSize, pageShift] = [4000, 16, 6];
    const shape = { group: 2, headSize, pageShift, before: [entries], textRows: 0, questions: [4] };
    const layer = new AttentionCase(core, draw, shape, "none");
    // Without a query all entries weigh alike, and sums of 0.1 are rounded the same way again and again.
    core.f32(layer.pointers.queries, layer.queries.length).fill(0);
    for (const page of layer.pages[0]!) core.f32(page, (2 * headSize) << pageShift).fill(0.1);
    core.f32(layer.pointers.values, headSize * 4).fill(0.1);
    layer.run(1, (tape) => tape.attend(layer.record));
    const roundings = 64 + entries / 64 + 4;
    const expected = Math.fround(0.1);
    assertNear(
      layer.outputs(),
      Float64Array.from(layer.outputs(), () => expected),
      () => roundings * ROUNDING * expected,
    );
  });

  for (const size of sizes) {
    for (const pooling of ["sharpest", "summed"] as const) {
      for (const shared of [false, true]) {
        const whose = shared ? "all heads together" : "each head";
        test(`scores of ${whose}, ${pooling}, groups of ${size.group}`, () => {
          const before = shared ? [45, 45, 45] : heads.long;
          const shape = { ...size, before, textRows: 20, questions: [3, 11, 1] };
          const layer = new AttentionCase(makeCore(build), draw, shape, pooling, shared);
          const { record } = layer;
          layer.run(1, (tape) => tape.append("f32", record, 20));
          layer.run(1, (tape) => tape.attend(record));
          // Threads share the pages.
          layer.run(3, (tape) => tape.scoreEntries(record));
          const { weights } = layer.expected();
          const expected = before.map((length) => new Float64Array(length + 20));
          for (let row = 20; row < layer.rows; row++) {
            for (let queryHead = 0; queryHead < layer.queryHeads; queryHead++) {
              const list = expected[shared ? 0 : Math.floor(queryHead / size.group)]!;
              for (const [entry, weight] of weights(row, queryHead).entries()) {
                if (pooling === "sharpest") list[entry] = Math.max(list[entry]!, weight);
                else list[entry]! += layer.factors[row]! * weight;
              }
            }
          }
          for (const [head, list] of expected.entries()) {
            if (shared && head > 0) break;
            // Relative: a weight is e^score, and scores err by up to the tolerance; sums of 60 terms add their own.
            assertNear(layer.scores(head), list, (entry) => 2 * TOLERANCE * list[entry]!, `head ${head}`);
          }
        });
      }
    }
  }

  test("rotate turns queries and keys to base and row, and scales them", () => {
    const core = makeCore(build);
    const shape = { group: 2, headSize: 16, pageShift: 5, before: [4, 0, 7], textRows: 2, questions: [3] };
    const layer = new AttentionCase(core, draw, shape, "none");
    const half = 4;
    const frequencies = [1, 0.3, 0.1, 0.03];
    const rotations = core.allocate(40 * half * 8);
    for (let position = 0; position < 40; position++) {
      for (const [i, frequency] of frequencies.entries()) {
        core.f32(rotations, 40 * half * 2)[position * half * 2 + i] = Math.cos(position * frequency);
        core.f32(rotations, 40 * half * 2)[position * half * 2 + half + i] = Math.sin(position * frequency);
      }
    }
    const [cell, offsets] = [core.allocate(4), core.allocate(20)];
    core.u32(cell, 1)[0] = rotations;
    const places = [0, 1, 2, 3, 4];
    core.i32(offsets, 5).set(places);
    layer.run(2, (tape) => tape.rotate(layer.record, cell, offsets, half, 1.5, 5));
    const check = (name: string, pointer: number, source: Float32Array, headsOf: number, group: number) => {
      const expected = Float64Array.from(source);
      for (const [row, offset] of places.entries()) {
        for (let head = 0; head < headsOf; head++) {
          // The cases' bases are 10 for each KV head before.
          const position = 10 * Math.floor(head / group) + offset;
          const at = (row * headsOf + head) * 16;
          for (const [i, frequency] of frequencies.entries()) {
            const [low, high, angle] = [source[at + i]!, source[at + half + i]!, position * frequency];
            expected[at + i] = 1.5 * (low * Math.cos(angle) - high * Math.sin(angle));
            expected[at + half + i] = 1.5 * (high * Math.cos(angle) + low * Math.sin(angle));
          }
        }
      }
      assertNear(core.f32(pointer, source.length), expected, () => 2e-6, name);
    };
    check("queries", layer.pointers.queries, layer.queries, 6, 2);
    check("keys", layer.pointers.keys, layer.keys, 3, 1);
  });

  test.run();
}
