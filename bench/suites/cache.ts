/** Kernels of the cache: gather, rotation, the fused re-rotation against one after the other, and attention. */
import { PAGE_ENTRIES, PAGE_SHIFT } from "../../src/cache/page-form.ts";
import { Tape } from "../../src/core/tape.ts";
import { RotationRows } from "../../src/rotary/rotation-rows.ts";
import { AttentionCase } from "../../test/core/attention-support.ts";
import { normals } from "../../test/support/random.ts";
import { Machine } from "../support/machine.ts";
import { type Case, measureKernels } from "../support/measure.ts";
import { type Row, rateRow, type SuiteOptions, type Table } from "../support/report.ts";

const HEAD_SIZE = 64;
const HALF = HEAD_SIZE / 2;
/** A head's entries before and after the cache is cut to its budget behind a chunk. */
const ENTRIES = 1024;
const KEPT = 512;
/** SmolLM2-135M: 9 query heads on 3 KV heads. */
const KEY_HEADS = 3;
const GROUP = 3;
const CHUNK = 512;

export async function cache(options: SuiteOptions): Promise<Table> {
  const rows: Row[] = [];
  const everySecond = Int32Array.from({ length: KEPT }, (_, place) => 2 * place);
  const runs = Int32Array.from({ length: KEPT }, (_, place) => place + 64 * Math.floor(place / 64));
  for (const [kind, kept] of [
    ["every second entry", everySecond],
    ["every second run of 64", runs],
  ] as const) {
    const rates = await measureKernels(movingCases(new Machine(), kept), options);
    rows.push(rateRow(`gather keys and values, ${kind}`, "ns a row", rates.gather));
    rows.push(rateRow(`rotate keys, ${kind}`, "ns a row", rates.rotate));
    rows.push(rateRow(`gather, then rotate, ${kind}`, "ns a row", rates.both));
    const other = { rates: rates.both, to: "gather, then rotate" };
    rows.push(rateRow(`fused re-rotation, ${kind}`, "ns a row", rates.fused, other));
  }
  const machine = new Machine();
  const cases = {
    registers: machine.registerLoop(),
    chunk: chunkAttention(machine),
    row128: rowAttention(machine, 128),
    row2048: rowAttention(machine, 2048),
  };
  const rates = await measureKernels(cases, options);
  const loop = { rates: rates.registers, to: "f32 multiply-add loop" };
  rows.push(rateRow(`attention of ${CHUNK} rows behind ${KEPT} entries, a layer`, "GFLOP/s", rates.chunk, loop));
  for (const [entries, own] of [
    [128, "row128"],
    [2048, "row2048"],
  ] as const) {
    rows.push(rateRow(`attention of one row over ${entries} entries, a layer`, "GFLOP/s", rates[own], loop));
    const passes = rates[own].map((rate) => rate / cases[own].work);
    rows.push(rateRow(`attention of one row over ${entries} entries, a layer`, "µs", passes));
  }
  return {
    title: `The cache's kernels (heads of ${HEAD_SIZE} f32, ${GROUP} query heads to each of ${KEY_HEADS})`,
    rows,
  };
}

/** Keys and values of one head of ENTRIES entries; KEPT of them go elsewhere. */
function movingCases(machine: Machine, kept: Int32Array): Record<"gather" | "rotate" | "both" | "fused", Case> {
  const { core } = machine;
  const { kernels } = core;
  const rowBytes = HEAD_SIZE * 4;
  const frequencies = Float32Array.from({ length: HALF }, (_, i) => 10_000 ** (-i / HALF));
  const rotations = new RotationRows(core, { inverseFrequencies: frequencies, attentionFactor: 1 }).fromZero(ENTRIES);
  const pages = (entries: number) =>
    machine.integers(
      Array.from({ length: entries / PAGE_ENTRIES }, () => machine.floats(PAGE_ENTRIES * HEAD_SIZE * 2)),
    );
  const [source, target] = [pages(ENTRIES), pages(KEPT)];
  const [keys, values] = [machine.floats(ENTRIES * HEAD_SIZE), machine.floats(ENTRIES * HEAD_SIZE)];
  const [keptKeys, keptValues] = [machine.floats(KEPT * HEAD_SIZE), machine.floats(KEPT * HEAD_SIZE)];
  const indices = machine.integers(kept);
  const distances = machine.integers(kept.map((index, place) => index - place));
  const gather = () => {
    kernels.gatherRows(keys, indices, keptKeys, KEPT, rowBytes);
    kernels.gatherRows(values, indices, keptValues, KEPT, rowBytes);
  };
  const rotate = () => kernels.turnRows(keptKeys, KEPT, HEAD_SIZE, HALF, rotations, distances);
  return {
    gather: { work: KEPT, run: gather },
    rotate: { work: KEPT, run: rotate },
    both: {
      work: KEPT,
      run: () => {
        gather();
        rotate();
      },
    },
    fused: {
      work: KEPT,
      run: () => kernels.gatherTurn(source, target, indices, KEPT, HEAD_SIZE, HALF, rotations, PAGE_SHIFT, 0),
    },
  };
}

/** A layer's attention of a chunk behind a full cache: products of queries and keys, and of weights and values. */
function chunkAttention(machine: Machine): Case {
  const seen = (CHUNK * (2 * KEPT + CHUNK + 1)) / 2;
  return attention(machine, KEPT, CHUNK, seen, (tape, record) => tape.attend(record));
}

/** A layer's attention of one row in decoding. */
function rowAttention(machine: Machine, entries: number): Case {
  const { core } = machine;
  const parts = core.allocate(core.kernels.rowPartsBytes(KEY_HEADS * GROUP, HEAD_SIZE));
  return attention(machine, entries - 1, 1, entries, (tape, record) => {
    tape.attendRow("f32", record, parts);
    tape.barrier();
    tape.mergeParts(record, parts);
  });
}

/** @param seen pairs of a row and an entry that it sees */
function attention(
  machine: Machine,
  before: number,
  textRows: number,
  seen: number,
  steps: (tape: Tape, record: number) => void,
): Case {
  const { core } = machine;
  const layer = new AttentionCase(
    core,
    normals(1),
    {
      group: GROUP,
      headSize: HEAD_SIZE,
      pageShift: PAGE_SHIFT,
      before: Array.from({ length: KEY_HEADS }, () => before),
      textRows,
      questions: [],
    },
    "none",
  );
  // What the case leaves to the batch to fill is NaN, which would take other paths than numbers do.
  for (const page of layer.pages.flat()) {
    const values = core.f32(page, PAGE_ENTRIES * HEAD_SIZE * 2);
    for (const [index, value] of values.entries()) if (Number.isNaN(value)) values[index] = 0.5;
  }
  const tape = new Tape();
  steps(tape, layer.record);
  const pointer = tape.write(core);
  const scratch = core.allocate(core.kernels.scratchBytes(HEAD_SIZE));
  const team = core.allocate(64);
  return {
    work: 4 * HEAD_SIZE * KEY_HEADS * GROUP * seen,
    run: () => void core.kernels.run(pointer, 0, 1, scratch, team),
  };
}
