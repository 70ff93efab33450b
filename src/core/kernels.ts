/** The functions that the core exports; what each computes is said in assembly/, at the function of the same name. */

/** Pointers and strides are bytes, everything else counts elements. */
export interface Kernels {
  heapBase(): number;
  /** @returns whether all threads came to the end */
  run(tape: number, thread: number, threads: number, scratch: number, team: number): number;
  serve(team: number, thread: number): void;
  scratchBytes(headSize: number): number;
  rowPartsBytes(queryHeads: number, headSize: number): number;
  integerBlock(depth: number): number;
  matmulF32(
    activations: number,
    weights: number,
    results: number,
    resultStride: number,
    rows: number,
    depth: number,
    firstPanel: number,
    endPanel: number,
    accumulate: number,
  ): void;
  matvecF32(
    activations: number,
    weights: number,
    results: number,
    depth: number,
    firstPanel: number,
    endPanel: number,
    accumulate: number,
  ): void;
  matmulQ8(
    activations: number,
    rowScales: number,
    weights: number,
    results: number,
    resultStride: number,
    rows: number,
    depth: number,
    firstPanel: number,
    endPanel: number,
    accumulate: number,
    scratch: number,
  ): void;
  matvecQ8(
    activations: number,
    scale: number,
    weights: number,
    results: number,
    depth: number,
    firstPanel: number,
    endPanel: number,
    accumulate: number,
  ): void;
  matmulQ4(
    activations: number,
    rowScales: number,
    weights: number,
    results: number,
    resultStride: number,
    rows: number,
    depth: number,
    firstPanel: number,
    endPanel: number,
    accumulate: number,
    wide: number,
    scratch: number,
  ): void;
  matvecQ4(
    activations: number,
    scales: number,
    sums: number,
    weights: number,
    results: number,
    depth: number,
    firstPanel: number,
    endPanel: number,
    accumulate: number,
    wide: number,
  ): void;
  dequantise(type: number, source: number, target: number, count: number): void;
  packF32(source: number, rows: number, depth: number, target: number): void;
  packTransposedF32(source: number, depth: number, columns: number, target: number): void;
  packQ4(source: number, rows: number, depth: number, target: number): void;
  packQ4Blocks(type: number, source: number, rows: number, depth: number, target: number): void;
  packQ8Blocks(source: number, rows: number, depth: number, target: number): void;
  packQ8(source: number, rows: number, depth: number, target: number): void;
  packRowsF32(source: number, target: number, rows: number, depth: number, firstTile: number, endTile: number): void;
  quantiseRows(
    source: number,
    target: number,
    scales: number,
    rows: number,
    depth: number,
    firstTile: number,
    endTile: number,
  ): void;
  quantiseRow(source: number, target: number, scale: number, depth: number): void;
  quantiseRowQ4(source: number, target: number, scales: number, sums: number, depth: number): void;
  embedF32(weights: number, row: number, depth: number, target: number): void;
  embedQ4(weights: number, row: number, depth: number, target: number, wide: number): void;
  embedQ8(weights: number, row: number, depth: number, target: number): void;
  pageBytesQ8(headSize: number, pageShift: number): number;
  writeEntryQ8(
    page: number,
    slot: number,
    key: number,
    value: number,
    position: number,
    headSize: number,
    pageShift: number,
  ): void;
  gatherQ8(
    sourcePages: number,
    targetPages: number,
    indices: number,
    count: number,
    headSize: number,
    pageShift: number,
    renumber: number,
  ): void;
  expandQ8(
    page: number,
    target: number,
    count: number,
    headSize: number,
    pageShift: number,
    rotations: number,
    factor: number,
  ): void;
  gatherRows(source: number, indices: number, target: number, count: number, rowBytes: number): void;
  gatherTurn(
    sourcePages: number,
    targetPages: number,
    indices: number,
    count: number,
    headSize: number,
    half: number,
    rotations: number,
    pageShift: number,
    first: number,
  ): void;
  turnRows(rows: number, count: number, headSize: number, half: number, rotations: number, indices: number): void;
  add(a: number, b: number, target: number, count: number): void;
  rmsNorm(
    source: number,
    weight: number,
    target: number,
    width: number,
    epsilon: number,
    firstRow: number,
    endRow: number,
    accumulate: number,
  ): void;
  gateMultiply(gate: number, up: number, width: number, firstRow: number, endRow: number, gelu: number): void;
  softmax(source: number, target: number, rows: number, width: number): void;
  allFinite(source: number, count: number): number;
  argMax(source: number, count: number): number;
  topIndices(source: number, count: number, keep: number, target: number, scratch: number): void;
}

const exported: Record<keyof Kernels, true> = {
  heapBase: true,
  run: true,
  serve: true,
  scratchBytes: true,
  rowPartsBytes: true,
  integerBlock: true,
  matmulF32: true,
  matvecF32: true,
  matmulQ8: true,
  matvecQ8: true,
  matmulQ4: true,
  matvecQ4: true,
  dequantise: true,
  packF32: true,
  packTransposedF32: true,
  packQ4: true,
  packQ4Blocks: true,
  packQ8Blocks: true,
  packQ8: true,
  packRowsF32: true,
  quantiseRows: true,
  quantiseRow: true,
  quantiseRowQ4: true,
  embedF32: true,
  embedQ4: true,
  embedQ8: true,
  pageBytesQ8: true,
  writeEntryQ8: true,
  gatherQ8: true,
  expandQ8: true,
  gatherRows: true,
  gatherTurn: true,
  turnRows: true,
  add: true,
  rmsNorm: true,
  gateMultiply: true,
  softmax: true,
  allFinite: true,
  argMax: true,
  topIndices: true,
};

/** Their names, to know a core by. */
export const kernelNames = Object.keys(exported);
