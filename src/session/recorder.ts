/** Keeps what entered attention in a pass, for presses that look at more than the cache. */
import { type Axis, packedSizeOf, sizeOf, unpackRows } from "../core/axis.ts";
import type { Core } from "../core/core.ts";
import type { Recording } from "../model/batch.ts";
import type { ModelConfig } from "../model/config.ts";
import { layoutOf } from "../model/layout.ts";
import { finish, once, type Steps } from "../steps.ts";

/** What of a row is kept, for each layer. */
type Part = "queries" | "keys" | "normed";

/** Rows of one pass, before rotation: for each layer [rows, width of the part]. */
export class Recorder {
  /** Rows kept: the last ones of the pass. */
  readonly rows: number;
  readonly #core: Core;
  readonly #layers: number;
  readonly #axes: Readonly<Record<Part, Axis>>;
  readonly #total: number;
  readonly #kept = new Map<Part, Float32Array[]>();

  /**
   * @param total rows of the pass
   * @param rows how many of its last ones are kept at most
   */
  constructor(core: Core, config: ModelConfig, parts: readonly Part[], total: number, rows = total) {
    this.#core = core;
    const { queryHeads, kvHeads, width } = layoutOf(config);
    this.#layers = config.layers;
    this.#axes = { queries: queryHeads, keys: kvHeads, normed: width };
    this.#total = total;
    this.rows = Math.min(rows, total);
    for (const part of parts) {
      this.#kept.set(
        part,
        Array.from({ length: config.layers }, () => new Float32Array(this.rows * sizeOf(this.#axes[part]))),
      );
    }
  }

  /** For each layer [rows, width]; empty for a part that was not asked for. */
  layers(part: Part): readonly Float32Array[] {
    return this.#kept.get(part) ?? [];
  }

  /**
   * Runs a batch of the pass and keeps its part.
   * @param first the batch's first row, counted in the pass
   * @param run runs the batch with the recording, if it holds rows that are kept
   * @throws MemoryError
   */
  batch(first: number, count: number, run: (record: Recording | undefined) => void): void {
    finish(this.batchInSteps(first, count, (record) => once(() => run(record))));
  }

  /** As `batch`, for a run that can be paused. */
  *batchInSteps(first: number, count: number, run: (record: Recording | undefined) => Steps<void>): Steps<void> {
    const start = this.#total - this.rows;
    const firstRow = Math.max(0, start - first);
    const rows = count - firstRow;
    if (rows <= 0 || this.#kept.size === 0) {
      yield* run(undefined);
      return;
    }
    const layers = this.#layers;
    const sizes: Partial<Record<Part, number>> = {};
    for (const part of this.#kept.keys()) sizes[part] = layers * rows * packedSizeOf(this.#axes[part]) * 4;
    const [core, axes, kepts] = [this.#core, this.#axes, this.#kept];
    yield* core.borrowInSteps(sizes as Record<Part, number>, function* (parts) {
      const targets = { queries: 0, keys: 0, normed: 0, ...(parts as Partial<typeof parts>) };
      yield* run({ firstRow, rows, ...targets });
      for (const [part, kept] of kepts) {
        const axis = axes[part];
        const length = rows * packedSizeOf(axis);
        for (let layer = 0; layer < layers; layer++) {
          const target = kept[layer]!.subarray((first + firstRow - start) * sizeOf(axis));
          unpackRows(core.f32(targets[part] + layer * length * 4, length), target, axis);
        }
      }
    });
  }
}
