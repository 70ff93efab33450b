/** Leverage scores of keys. */
import { definePress, type OptionsOf } from "../define.ts";
import { callback, number, optional, whole } from "../settings.ts";
import { columnMeans } from "../tools/attention.ts";
import { eachHead } from "../tools/each-head.ts";
import { inverseForms, regularisedCholesky, zScores } from "../tools/linear-algebra.ts";
import { transposed } from "../tools/vectors.ts";
import { normal } from "./random.ts";

export type LeverageOptions = OptionsOf<typeof leverageScore>;

/** Added to the diagonal of the sketches' Gram matrix. */
const JITTER = 1e-2;

/** An entry's score is the statistical leverage of its key before rotation, as a z-score of the layer. */
export const leverageScore = definePress({
  name: "leveragescore",
  paper:
    "Leverage scores, as in Compactor: Calibrated Query-Agnostic KV Cache Compression (Chari and Van Durme 2025, arXiv 2507.08143)",
  options: {
    /** Dimensions of the random sketch of the keys. */
    sketchDimension: whole(48),
    /** Equal seeds give equal sketches. */
    seed: number(0),
    /** Normal numbers to use instead: for each KV head of a layer [headSize, sketchDimension]. */
    draw: optional(callback<(layer: number) => readonly Float32Array[]>),
  },
  score: (layer, { sketchDimension, seed, draw }) => {
    const { headSize } = layer;
    const next = normal(seed + layer.layer);
    const sketches =
      draw?.(layer.layer) ?? eachHead(layer, () => Float32Array.from({ length: headSize * sketchDimension }, next));
    const leverages = eachHead(layer, (head) => {
      const keys = layer.unrotate(layer.keys(head), layer.places(head));
      const mean = columnMeans(keys, headSize);
      const centred = keys.map((value, i) => value - mean[i % headSize]!);
      const sketch = transposed(sketches[head]!, sketchDimension).map((value) => value / Math.sqrt(sketchDimension));
      const rows = layer.multiply(centred, sketch, headSize);
      const columns = transposed(rows, sketchDimension);
      const gram = Float64Array.from(layer.multiply(columns, columns, layer.length(head)));
      const factor = regularisedCholesky(gram, sketchDimension, JITTER);
      return Float32Array.from(inverseForms(factor, sketchDimension, rows));
    });
    return zScores(leverages);
  },
});
