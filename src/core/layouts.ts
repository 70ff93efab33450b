/**
 * Numbers and layouts on which TypeScript and the core agree: both compile this one file.
 *
 * An enum of a step or a record names its words, 4 bytes each, in their order; its last member, `words`, counts them.
 * A word is an i32, a byte address or, where that is said, an f32.
 */

/** What a step of a tape does; assembly/tape.ts runs it, src/core/tape.ts writes it. */
export enum Operation {
  End,
  Barrier,
  Embed,
  RmsNorm,
  PackRows,
  QuantiseRows,
  QuantiseRow,
  QuantiseRowQ4,
  AddBias,
  Matmul,
  Matvec,
  Rotate,
  Append,
  Expand,
  Attend,
  AttendRow,
  MergeParts,
  ScoreEntries,
  SiluMultiply,
  Copy,
}

/** How numbers are held: weights in all of them, the cache's pages in f32 or 8 bits. */
export enum Form {
  f32,
  q8,
  q4,
}

/** Bytes of 8 rows of a packed matrix by 32 of its depth, with their scales; 4 bits' scales and minima are f16, or f32 where wide. */
export const F32_BLOCK_BYTES = 1024;
export const Q8_BLOCK_BYTES = 288;
export const Q4_BLOCK_BYTES = 160;
export const WIDE_Q4_BLOCK_BYTES = 192;

/** Bits behind the point in a rotation row of 16 bits: a sum of two products with 8 bits then loses 7 to fit 16. */
export const SHORT_ROTATION_BITS = 14;

/** A step that has nothing to say but what it does. */
export enum PlainStep {
  operation,
  words,
}

export enum EmbedStep {
  operation,
  /** A `Form`. */
  form,
  weights,
  /** Whether 4-bit blocks carry f32 scales. */
  wide,
  /** [rows] i32 */
  tokens,
  target,
  rows,
  width,
  words,
}

export enum RmsNormStep {
  operation,
  source,
  weight,
  target,
  width,
  /** f32 */
  epsilon,
  rows,
  words,
}

export enum PackRowsStep {
  operation,
  source,
  target,
  rows,
  depth,
  words,
}

export enum QuantiseRowsStep {
  operation,
  source,
  target,
  scales,
  rows,
  depth,
  words,
}

/** One row: of 8-bit products, or of 4-bit ones, which want the sums of its blocks too. */
export enum QuantiseRowStep {
  operation,
  source,
  target,
  scales,
  sums,
  depth,
  words,
}

export enum AddBiasStep {
  operation,
  bias,
  target,
  width,
  rows,
  accumulate,
  words,
}

export enum MatmulStep {
  operation,
  /** A `Form`. */
  form,
  weights,
  wide,
  depth,
  /** Panels of 8 columns. */
  panels,
  activations,
  /** Of quantised activations. */
  scales,
  results,
  /** Bytes. */
  resultStride,
  rows,
  accumulate,
  words,
}

export enum MatvecStep {
  operation,
  /** A `Form`. */
  form,
  weights,
  wide,
  depth,
  panels,
  activations,
  scales,
  sums,
  results,
  accumulate,
  words,
}

export enum RotateStep {
  operation,
  layer,
  /** The word that holds the address of the rotation rows: they may move as they grow. */
  rotations,
  rowOffsets,
  /** Pairs of a head that turn. */
  half,
  /** f32 */
  factor,
  rows,
  words,
}

export enum AppendStep {
  operation,
  /** A `Form` of pages. */
  form,
  layer,
  rows,
  words,
}

/** A step on a layer's record alone. */
export enum LayerStep {
  operation,
  layer,
  words,
}

export enum AttendRowStep {
  operation,
  /** A `Form` of pages. */
  form,
  layer,
  parts,
  words,
}

export enum MergePartsStep {
  operation,
  layer,
  parts,
  words,
}

export enum SiluMultiplyStep {
  operation,
  gate,
  up,
  width,
  rows,
  words,
}

export enum CopyStep {
  operation,
  source,
  target,
  count,
  words,
}

/** What a layer's attention works on. */
export enum LayerRecord {
  /** [rows][queryHeads · headSize] f32, rotated; overwritten nowhere. */
  queries,
  /** [rows][kvHeads · headSize] f32: rotated keys, and values, of the batch's rows. */
  keys,
  values,
  /** [rows][queryHeads · headSize] f32 */
  outputs,
  /** [kvHeads] entries of `HeadRecord`. */
  heads,
  /** [segmentCount] entries of `SegmentRecord`. */
  segments,
  segmentCount,
  kvHeads,
  /** Query heads that share a KV head. */
  group,
  headSize,
  /** log2 of the entries in a page. */
  pageShift,
  /** f32: 1 / sqrt(headSize), or what the model says instead. */
  scale,
  /** [rows][queryHeads][2] f32: largest score and 1 / sum of each query's softmax; 0 where nobody asks. */
  statistics,
  /** [kvHeads] addresses of f32 scores of the entries in the pages, or 0. */
  scores,
  /** [rows] f32 factors for summed scores, or 0 for the sharpest weight. */
  factors,
  /** As `heads`: the pages of the cache itself. `heads` is the same, or where an 8-bit cache's pages are expanded to f32. */
  stored,
  /** For an 8-bit cache, rotation rows from position 0 on: headSize/2 cosines and as many sines, f32. */
  rotations,
  /** The same as i16 of `SHORT_ROTATION_BITS`. */
  shortRotations,
  /** f32: by which a key is scaled when it is turned: YaRN's attention factor, else 1. */
  keyFactor,
  words,
}

/** One KV head's place in the cache. */
export enum HeadRecord {
  /** Addresses of its pages. */
  pages,
  /** Entries that the pages hold, those of the batch's own text included. */
  entries,
  /** The rotation row of the batch's first token. */
  rotationBase,
  unused,
  words,
}

/** Rows of a batch that see each other: the text, or one question. */
export enum SegmentRecord {
  firstRow,
  rows,
  /** 1 if its keys stand in the pages, as the text's do. */
  inPages,
  unused,
  words,
}

/** What the threads of a team share. */
export enum TeamRecord {
  /** Threads that have come to the barrier. */
  arrived,
  /** Counts barriers; below zero once a thread is lost. */
  generation,
  /** Counts tapes; below zero when the team is dissolved. */
  job,
  /** Whether thread 0 may sleep: the main thread of a browser may not. */
  mainSleeps,
  tape,
  threads,
  /** [threads][scratchBytes] */
  scratch,
  scratchBytes,
  words,
}

/** The generation of a team that has lost a thread. */
export const LOST_GENERATION = -2_147_483_648;
