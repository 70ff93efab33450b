/** rope(prune(k)) = rerotate(prune(rope(k))): survivors' keys, for every rotary variant, after one turn and after a hundred. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Scheme } from "../../src/cache/cache.ts";
import { f32Pages } from "../../src/cache/page-form.ts";
import { PagePool } from "../../src/cache/pages.ts";
import { type RotaryConfig, rotaryFrequencies } from "../../src/rotary/frequencies.ts";
import { RotationRows } from "../../src/rotary/rotation-rows.ts";
import { builds, makeCore } from "../support/core.ts";
import { integers, normals } from "../support/random.ts";
import { Mirror, plainHead } from "./support.ts";

const yarn = { factor: 16, originalMaxPositions: 4096, betaFast: 32, betaSlow: 1, truncate: true } as const;
const none = { attentionFactor: undefined, mscale: undefined, mscaleAllDim: undefined };
const variants: [string, RotaryConfig, number?, Float32Array?][] = [
  ["default", { type: "default", theta: 10_000 }],
  ["linear", { type: "linear", theta: 10_000, factor: 4 }],
  [
    "llama3",
    {
      type: "llama3",
      theta: 500_000,
      factor: 8,
      lowFrequencyFactor: 1,
      highFrequencyFactor: 4,
      originalMaxPositions: 8192,
    },
  ],
  ["yarn", { type: "yarn", theta: 10_000, ...yarn, ...none }],
  ["yarn with a factor of its own", { type: "yarn", theta: 10_000, ...yarn, ...none, attentionFactor: 0.7 }],
  ["a part of the dimensions", { type: "default", theta: 10_000 }, 16],
  [
    "a file's factors",
    { type: "default", theta: 10_000 },
    32,
    Float32Array.from({ length: 16 }, (_, i) => 1 + i * 0.4),
  ],
];

for (const build of builds) {
  const test = suite(`cache rotation, ${build}`);

  for (const [name, config, dimensions = 32, factors] of variants) {
    for (const scheme of ["contiguous", "original"] satisfies Scheme[]) {
      test(`${name}, ${scheme}`, () => {
        const core = makeCore(build);
        const pool = new PagePool(core, f32Pages(core, plainHead(32)));
        const frequencies = rotaryFrequencies(config, dimensions, { all: factors });
        const rotations = new RotationRows(core, frequencies);
        const draw = normals(14);
        const random = integers(15);
        const mirror = new Mirror(pool, frequencies, rotations, { layers: 1, kvHeads: 2, scheme });
        const some = (index: number, length: number) =>
          Int32Array.from(Array(length).keys()).filter((entry) => entry === 0 || random(index + 3) > 0);
        mirror.append(700, draw);
        mirror.check(0);
        mirror.keep(some);
        // Two roundings of the turn against one of the rotation.
        mirror.check(scheme === "contiguous" ? 3e-7 : 0, "one turn");
        // Entry 1 is dropped every time, so that those that live longest are turned a hundred times.
        for (let turn = 1; turn < 100; turn++) {
          mirror.append(9, draw);
          mirror.keep((_, length) =>
            Int32Array.from(Array(length).keys()).filter((entry) => entry !== 1 && entry % 97 !== 96),
          );
        }
        mirror.check(scheme === "contiguous" ? 1e-5 : 0, "a hundred turns");
        assert.ok(mirror.heads.every((entries) => entries.some(({ position }) => position < 700)));
        mirror.cache.dispose();
        rotations.dispose();
        assert.is(core.bytesInUse, 0);
      });
    }
  }

  test.run();
}
