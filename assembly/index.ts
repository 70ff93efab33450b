/** The core: every function that JavaScript may call. Pointers are bytes from the start of the memory. */
export { rowPartsBytes } from "./attention-row";
export { dequantise } from "./dequantise";
export { matmulF32 } from "./matmul-f32";
export { integerBlock } from "./matmul-i16";
export { matvecF32 } from "./matvec-f32";
export { embedF32, embedQ8, packF32, packQ8, packQ8Blocks, packTransposedF32 } from "./pack";
export { embedQ4, packQ4, packQ4Blocks } from "./pack-q4";
export { expandQ8, gatherQ8, pageBytesQ8, writeEntryQ8 } from "./page-q8";
export { gatherRows, gatherTurn, turnRows } from "./rotary";
export { add, gateMultiply, packRowsF32, quantiseRow, quantiseRowQ4, quantiseRows, rmsNorm, softmax } from "./rows";
export { allFinite, argMax, topIndices } from "./select";
export { run, scratchBytes, serve } from "./tape";
export { matmulQ4, matvecQ4 } from "./weights-q4";
export { matmulQ8, matvecQ8 } from "./weights-q8";

/** First free byte after the static data. */
export function heapBase(): usize {
  return __heap_base;
}
