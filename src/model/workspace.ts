/** The decoder's intermediate results for a batch of rows: one stretch of the core's memory, cut into named parts. */

import { PAGE_ENTRIES } from "../cache/page-form.ts";
import { packedSizeOf, sizeOf } from "../core/axis.ts";
import type { Core } from "../core/core.ts";
import { LayerRecord, SegmentRecord } from "../core/layouts.ts";
import { Scratch } from "../core/region.ts";
import { bytesOf } from "../core/words.ts";
import type { ModelConfig } from "./config.ts";
import type { Layout } from "./layout.ts";

/** Rows beyond the batch that kernels may write or read without using them. */
const SPARE_ROWS = 4;
/** Byte addresses of the parts; `rows` is the capacity, rounded up to the tiles of the matrix products. */
export interface WorkspaceParts {
  readonly tokens: number;
  readonly rowOffsets: number;
  readonly factors: number;
  readonly segments: number;
  readonly hidden: number;
  readonly normed: number;
  /** Packed or quantised activations of the widest product, and their scales. */
  readonly packed: number;
  readonly quantised: number;
  readonly scales: number;
  /** One row for 4-bit weights, the scales of its blocks and its sums. */
  readonly differences: number;
  readonly differenceScales: number;
  readonly sums: number;
  readonly queries: number;
  readonly keys: number;
  readonly values: number;
  readonly attended: number;
  readonly statistics: number;
  readonly gate: number;
  readonly up: number;
  readonly rowParts: number;
  /** Of one row, [vocabulary]. */
  readonly logits: number;
  readonly layers: number;
  /** [layers][kvHeads] addresses of scores. */
  readonly scores: number;
  readonly rotationCell: number;
}

/** Grows to the largest batch it has seen; growing moves every part. */
export class Workspace {
  readonly #core: Core;
  readonly #config: ModelConfig;
  readonly #layout: Layout;
  readonly #scratch: Scratch<keyof WorkspaceParts>;
  #rows = 0;
  #segments = 0;
  #parts: WorkspaceParts | undefined;

  constructor(core: Core, config: ModelConfig, layout: Layout) {
    this.#core = core;
    this.#config = config;
    this.#layout = layout;
    this.#scratch = new Scratch(core);
  }

  /** The parts for a batch of so many rows and segments; a new object when they have moved. @throws MemoryError */
  ensure(rows: number, segments: number): WorkspaceParts {
    if (this.#parts && rows <= this.#rows && segments <= this.#segments) return this.#parts;
    const rowCapacity = Math.max(this.#rows, Math.ceil(rows / 4) * 4);
    const segmentCapacity = Math.max(this.#segments, segments);
    const sizes = measure(this.#core, this.#config, this.#layout, rowCapacity, segmentCapacity);
    this.#rows = this.#segments = 0;
    this.#parts = undefined;
    this.#parts = this.#scratch.cut(sizes);
    // Spare rows are multiplied with the others: zeros cannot slow that down as subnormal numbers would.
    for (const name of Object.keys(sizes) as (keyof WorkspaceParts)[]) {
      this.#core.bytes(this.#parts[name], sizes[name]).fill(0);
    }
    this.#rows = rowCapacity;
    this.#segments = segmentCapacity;
    return this.#parts;
  }

  dispose(): void {
    this.#scratch.free();
    this.#rows = this.#segments = 0;
    this.#parts = undefined;
  }
}

function measure(
  core: Core,
  config: ModelConfig,
  layout: Layout,
  capacity: number,
  segments: number,
): Record<keyof WorkspaceParts, number> {
  const { queryHeads, kvHeads, layers } = config;
  const rows = capacity + SPARE_ROWS;
  const hiddenWidth = packedSizeOf(layout.width);
  const feedForwardWidth = packedSizeOf(layout.feedForward);
  const queryWidth = packedSizeOf(layout.queryHeads);
  const keyWidth = packedSizeOf(layout.kvHeads);
  const widest = Math.max(hiddenWidth, feedForwardWidth, queryWidth);
  const scaleBlocks = Math.ceil(widest / 32);
  return {
    tokens: rows * 4,
    rowOffsets: rows * 4,
    factors: rows * 4,
    segments: segments * bytesOf(SegmentRecord),
    hidden: rows * hiddenWidth * 4,
    normed: rows * hiddenWidth * 4,
    packed: rows * widest * 4,
    quantised: rows * widest * 2,
    scales: rows * scaleBlocks * 4,
    differences: widest * 2,
    differenceScales: scaleBlocks * 4,
    sums: scaleBlocks * 8,
    queries: rows * queryWidth * 4,
    keys: (rows + PAGE_ENTRIES) * keyWidth * 4,
    values: (rows + PAGE_ENTRIES) * keyWidth * 4,
    attended: rows * queryWidth * 4,
    statistics: rows * queryHeads * 8,
    gate: rows * feedForwardWidth * 4,
    up: rows * feedForwardWidth * 4,
    rowParts: core.kernels.rowPartsBytes(queryHeads, packedSizeOf(layout.head)),
    logits: Math.ceil(sizeOf(layout.vocabulary) / 8) * 32,
    layers: layers * bytesOf(LayerRecord),
    scores: layers * kvHeads * 4,
    rotationCell: 4,
  };
}
