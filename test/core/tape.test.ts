/** Every step of a tape does what the kernel of its name does, alone and shared among threads: the numbers on both sides agree. */
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Tape, type TapeMatrix } from "../../src/core/tape.ts";
import { assertSame } from "../support/assertions.ts";
import { guarded, makeCore, place } from "../support/core.ts";
import { normals } from "../support/random.ts";

const test = suite("tape");
const core = makeCore();
const { kernels } = core;
const draw = normals(12);
const scratch = core.allocate(8192);
const state = core.allocate(64);

/** A step, the kernel call that it stands for, and the bytes both write, each as a pointer and a length. */
interface Step {
  readonly tape: (tape: Tape) => void;
  readonly kernel: () => void;
  readonly written: readonly (readonly [number, number])[];
}

const ROWS = 7;
const DEPTH = 288;
const COLUMNS = 45;
const PANELS = 6;
const STRIDE = PANELS * 32;

const tokens = Int32Array.of(3, 44, 0, 7, 8, 31, 3);
const rows = place(core, draw(ROWS * DEPTH));
const weight = place(core, draw(DEPTH));
const source = place(core, draw(COLUMNS * DEPTH));
const matrixOf = (form: TapeMatrix["form"], bytes: number): TapeMatrix => ({
  form,
  pointer: core.allocate(PANELS * bytes),
  depth: DEPTH,
  panels: PANELS,
  wide: false,
});
const f32 = matrixOf("f32", DEPTH * 32);
const q8 = matrixOf("q8", (DEPTH / 32) * 288);
const q4 = { ...matrixOf("q4", (DEPTH / 32) * 192), wide: true };
kernels.packF32(source, COLUMNS, DEPTH, f32.pointer);
kernels.packQ8(source, COLUMNS, DEPTH, q8.pointer);
kernels.packQ4(source, COLUMNS, DEPTH, q4.pointer);
const packed = core.allocate(8 * DEPTH * 4);
kernels.packRowsF32(rows, packed, ROWS, DEPTH, 0, 2);
const [quantised, scales] = [core.allocate(8 * DEPTH * 2), core.allocate(128)];
kernels.quantiseRows(rows, quantised, scales, ROWS, DEPTH, 0, 2);
const [quantisedRow, scale] = [core.allocate(DEPTH * 2), core.allocate(4)];
kernels.quantiseRow(rows, quantisedRow, scale, DEPTH);
const [differences, differenceScales, sums] = [core.allocate(DEPTH * 2), core.allocate(64), core.allocate(128)];
kernels.quantiseRowQ4(rows, differences, differenceScales, sums, DEPTH);
const factor = core.f32(scale, 1)[0]!;
const tokenCell = place(core, tokens);
const target = core.allocate(8 * DEPTH * 4);
const other = core.allocate(512);
const last = core.allocate(128);
const wide: [number, number] = [target, 8 * DEPTH * 4];

const embed = (matrix: TapeMatrix, kernel: (token: number, target: number) => void, factor = 1): Step => ({
  tape: (tape) => tape.embed(matrix, tokenCell, target, ROWS, DEPTH, factor),
  kernel: () => {
    for (const [row, token] of tokens.entries()) kernel(token, target + row * DEPTH * 4);
    const embedded = core.f32(target, ROWS * DEPTH);
    for (let i = 0; i < embedded.length; i++) embedded[i]! *= factor;
  },
  written: [wide],
});

const steps: Record<string, Step> = {
  "embed, f32": embed(f32, (token, row) => kernels.embedF32(f32.pointer, token, DEPTH, row)),
  "embed, scaled": embed(f32, (token, row) => kernels.embedF32(f32.pointer, token, DEPTH, row), 1.5),
  "embed, q8": embed(q8, (token, row) => kernels.embedQ8(q8.pointer, token, DEPTH, row)),
  "embed, q4": embed(q4, (token, row) => kernels.embedQ4(q4.pointer, token, DEPTH, row, 1)),
  rmsNorm: {
    tape: (tape) => tape.rmsNorm(rows, weight, target, DEPTH, 0.25, ROWS, false),
    kernel: () => kernels.rmsNorm(rows, weight, target, DEPTH, 0.25, 0, ROWS, 0),
    written: [wide],
  },
  "rmsNorm, added": {
    tape: (tape) => tape.rmsNorm(rows, weight, target, DEPTH, 0.25, ROWS, true),
    kernel: () => kernels.rmsNorm(rows, weight, target, DEPTH, 0.25, 0, ROWS, 1),
    written: [wide],
  },
  packRows: {
    tape: (tape) => tape.packRows(rows, target, ROWS, DEPTH),
    kernel: () => kernels.packRowsF32(rows, target, ROWS, DEPTH, 0, 2),
    written: [wide],
  },
  quantiseRows: {
    tape: (tape) => tape.quantiseRows(rows, target, other, ROWS, DEPTH),
    kernel: () => kernels.quantiseRows(rows, target, other, ROWS, DEPTH, 0, 2),
    written: [wide, [other, 512]],
  },
  quantiseRow: {
    tape: (tape) => tape.quantiseRow(rows, target, other, DEPTH),
    kernel: () => kernels.quantiseRow(rows, target, other, DEPTH),
    written: [wide, [other, 512]],
  },
  quantiseRowQ4: {
    tape: (tape) => tape.quantiseRowQ4(rows, target, other, last, DEPTH),
    kernel: () => kernels.quantiseRowQ4(rows, target, other, last, DEPTH),
    written: [wide, [other, 512], [last, 128]],
  },
  "gate, SiLU": {
    tape: (tape) => tape.gate("silu", target, rows, DEPTH, ROWS),
    kernel: () => kernels.gateMultiply(target, rows, DEPTH, 0, ROWS, 0),
    written: [wide],
  },
  "gate, GELU": {
    tape: (tape) => tape.gate("gelu", target, rows, DEPTH, ROWS),
    kernel: () => kernels.gateMultiply(target, rows, DEPTH, 0, ROWS, 1),
    written: [wide],
  },
};
for (const accumulate of [false, true]) {
  const flag = Number(accumulate);
  const add = (name: string, tape: Step["tape"], kernel: Step["kernel"]) => {
    steps[`${name}${accumulate ? ", accumulating" : ""}`] = { tape, kernel, written: [wide] };
  };
  add(
    "addBias",
    (tape) => tape.addBias(weight, target, DEPTH, ROWS, accumulate),
    () => {
      for (let row = target; row < target + ROWS * DEPTH * 4; row += DEPTH * 4) {
        if (accumulate) kernels.add(row, weight, row, DEPTH);
        else core.f32(row, DEPTH).set(core.f32(weight, DEPTH));
      }
    },
  );
  add(
    "matmul, f32",
    (tape) => tape.matmul(f32, packed, 0, target, STRIDE, ROWS, accumulate),
    () => kernels.matmulF32(packed, f32.pointer, target, STRIDE, ROWS, DEPTH, 0, PANELS, flag),
  );
  add(
    "matmul, q8",
    (tape) => tape.matmul(q8, quantised, scales, target, STRIDE, ROWS, accumulate),
    () => kernels.matmulQ8(quantised, scales, q8.pointer, target, STRIDE, ROWS, DEPTH, 0, PANELS, flag, scratch),
  );
  add(
    "matmul, q4",
    (tape) => tape.matmul(q4, quantised, scales, target, STRIDE, ROWS, accumulate),
    () => kernels.matmulQ4(quantised, scales, q4.pointer, target, STRIDE, ROWS, DEPTH, 0, PANELS, flag, 1, scratch),
  );
  add(
    "matvec, f32",
    (tape) => tape.matvec(f32, rows, 0, 0, target, accumulate),
    () => kernels.matvecF32(rows, f32.pointer, target, DEPTH, 0, PANELS, flag),
  );
  add(
    "matvec, q8",
    (tape) => tape.matvec(q8, quantisedRow, scale, 0, target, accumulate),
    () => kernels.matvecQ8(quantisedRow, factor, q8.pointer, target, DEPTH, 0, PANELS, flag),
  );
  add(
    "matvec, q4",
    (tape) => tape.matvec(q4, differences, differenceScales, sums, target, accumulate),
    () => kernels.matvecQ4(differences, differenceScales, sums, q4.pointer, target, DEPTH, 0, PANELS, flag, 1),
  );
}

/** What `run` writes into places that hold the same numbers before. */
function result({ written }: Step, run: () => void): Uint8Array[] {
  for (const [pointer, length] of written) core.f32(pointer, length / 4).fill(0.75);
  run();
  return written.map(([pointer, length]) => core.bytes(pointer, length).slice());
}

function runTape(write: (tape: Tape) => void, threads: number): void {
  const tape = new Tape();
  write(tape);
  const pointer = tape.write(core);
  for (let thread = 0; thread < threads; thread++) kernels.run(pointer, thread, threads, scratch, state);
  core.free(pointer);
}

for (const [name, step] of Object.entries(steps)) {
  test(name, () => {
    const expected = result(step, step.kernel);
    assert.not.equal(
      expected,
      result(step, () => {}),
      "the kernel writes nothing",
    );
    for (const threads of [1, 3]) {
      assertSame(
        result(step, () => runTape(step.tape, threads)),
        expected,
        `${threads} threads`,
      );
    }
  });
}

test("steps follow each other: every one ends where the next begins", () => {
  for (const [name, step] of Object.entries(steps)) {
    const after = guarded(core, 4);
    const ones = place(core, new Float32Array(4).fill(1));
    core.f32(after.pointer, 4).fill(3);
    runTape((tape) => {
      step.tape(tape);
      tape.barrier();
      tape.gate("silu", after.pointer, ones, 4, 1);
    }, 1);
    const once = 3 / (1 + Math.exp(-3));
    assert.ok(
      core.f32(after.pointer, 4).every((value) => Math.abs(value - once) < 1e-6),
      name,
    );
    assert.ok(after.intact());
  }
});

test("an empty tape ends at once, and its memory is the caller's to free", () => {
  const before = core.bytesInUse;
  runTape(() => {}, 1);
  assert.is(core.bytesInUse, before);
});

test.run();
