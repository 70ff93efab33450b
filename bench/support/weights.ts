/** Weight matrices of any numbers in the packed forms, for kernels to be measured on. */
import { matrixBytes, type WeightForm } from "../../src/model/weights.ts";
import type { Machine } from "./machine.ts";

/** ggml's number of Q4_1, whose blocks of 32 are a scale and a minimum in f16, then 16 bytes. */
const Q4_1 = 3;
const Q4_1_BYTES = 20;
/** 2^-6 and -2^-3 as f16. */
const SCALE = 0x2400;
const MINIMUM = 0xb000;

/** Bytes of a matrix as `packWeights` packs it; 4 bits with f16 scales, as Q4_1 files have them. */
export function packedBytes(form: WeightForm, rows: number, depth: number): number {
  return matrixBytes({ form, wide: false, depth }, rows);
}

/** Address of a packed matrix [rows, depth]; depth a multiple of 32. */
export function packWeights(machine: Machine, form: WeightForm, rows: number, depth: number): number {
  const { core } = machine;
  const target = core.allocate(packedBytes(form, rows, depth));
  if (form === "q4") {
    const source = core.allocate((rows * depth * Q4_1_BYTES) / 32);
    const halves = new Uint16Array(core.memory.buffer, source, (rows * depth * Q4_1_BYTES) / 64);
    for (let at = 0; at < halves.length; at++) {
      halves[at] = at % 10 === 0 ? SCALE : at % 10 === 1 ? MINIMUM : Math.imul(at, 40503);
    }
    core.kernels.packQ4Blocks(Q4_1, source, rows, depth, target);
    core.free(source);
  } else {
    const source = machine.floats(rows * depth);
    core.kernels[form === "f32" ? "packF32" : "packQ8"](source, rows, depth, target);
    core.free(source);
  }
  return target;
}
