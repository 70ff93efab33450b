/** Leverage scores, as in Compactor: Calibrated Query-Agnostic KV Cache Compression (Chari and Van Durme 2025, arXiv 2507.08143). */

import { unrotate } from "../../rotary/rotate.ts";
import type { ScorePress } from "../press.ts";
import { columnMeans } from "../tools/attention.ts";
import { checkWhole } from "../tools/check.ts";
import { eachHead } from "../tools/each-head.ts";
import { inverseForms, regularisedCholesky, zScores } from "../tools/linear-algebra.ts";
import { transposed } from "../tools/vectors.ts";
import { normal } from "./random.ts";

/** Settings of the press. */
export interface LeverageOptions {
  /** Dimensions of the random sketch of the keys. */
  readonly sketchDimension?: number;
  /** Equal seeds give equal sketches. */
  readonly seed?: number;
  /** Normal numbers to use instead: for each KV head of a layer [headSize, sketchDimension]. */
  readonly draw?: (layer: number) => readonly Float32Array[];
}

/** Added to the diagonal of the sketches' Gram matrix. */
const JITTER = 1e-2;

/**
 * An entry's score is the statistical leverage of its key before rotation, as a z-score of the layer.
 * @throws ArgumentError for settings that cannot be
 */
export function leverageScore(options: LeverageOptions = {}): ScorePress {
  const { sketchDimension = 48, seed = 0 } = options;
  checkWhole({ sketchDimension }, 1);
  return {
    kind: "score",
    name: "leveragescore",
    score: (entries) => {
      const { headSize } = entries;
      const next = normal(seed + entries.layer);
      const sketches =
        options.draw?.(entries.layer) ??
        eachHead(entries, () => Float32Array.from({ length: headSize * sketchDimension }, next));
      const leverages = eachHead(entries, (head) => {
        const keys = unrotate(entries.keys(head), headSize, entries.places(head), entries.frequencies);
        const mean = columnMeans(keys, headSize);
        const centred = keys.map((value, i) => value - mean[i % headSize]!);
        const sketch = transposed(sketches[head]!, sketchDimension).map((value) => value / Math.sqrt(sketchDimension));
        const rows = entries.multiply(centred, sketch, headSize);
        const columns = transposed(rows, sketchDimension);
        const gram = Float64Array.from(entries.multiply(columns, columns, entries.length(head)));
        const factor = regularisedCholesky(gram, sketchDimension, JITTER);
        return Float32Array.from(inverseForms(factor, sketchDimension, rows));
      });
      return zScores(leverages);
    },
  };
}
