/** CurDKV, by the norms of keys and values among their neighbours. */
import { definePress, type OptionsOf } from "../define.ts";
import { choice, flag, number, whole } from "../settings.ts";
import { eachHead } from "../tools/each-head.ts";
import { rowDots } from "../tools/vectors.ts";
import { normal } from "./random.ts";

export type CurOptions = OptionsOf<typeof cur>;

/** Dimensions of the random projection. */
const PROJECTED = 20;

/** An entry's score is the squared norm of its key and of its value, as a part of its neighbours'. */
export const cur = definePress({
  name: "cur",
  paper:
    "CurDKV: Value-Guided KV Compression for LLMs via Approximated CUR Decomposition (Sengupta et al. 2025, arXiv 2509.15038)",
  options: {
    /** First entries that are always kept. */
    numSinks: whole(4, 0),
    /** What a score is made of: the leverage of key or value, their mean, or their product. */
    leverageType: choice(["key", "value", "kv_avg", "kv_product"], "kv_product"),
    /** Whether keys and values are first projected to 20 random dimensions. */
    useRandomLeverage: flag(false),
    /** Whether leverages are relative to the entry's window. */
    useLocalApproximation: flag(true),
    /** Entries of a window. */
    localWindowSize: whole(16),
    /** Equal seeds give equal projections. */
    seed: number(0),
  },
  score: (layer, { numSinks, leverageType, useRandomLeverage, useLocalApproximation, localWindowSize, seed }) => {
    const next = normal(seed + layer.layer);
    const { headSize } = layer;
    const blend = combinations[leverageType];
    const projection = useRandomLeverage
      ? Float32Array.from({ length: PROJECTED * headSize }, () => next() / Math.sqrt(PROJECTED))
      : undefined;
    const leverages = (rows: Float32Array) => {
      const projected = projection ? layer.multiply(rows, projection, headSize) : rows;
      const squares = rowDots(projected, projected, projection ? PROJECTED : headSize);
      return useLocalApproximation ? localParts(squares, localWindowSize) : squares;
    };
    return eachHead(layer, (head) => {
      const ofKeys = leverages(layer.keys(head));
      const ofValues = leverages(layer.values(head));
      const scores = ofKeys.map((key, i) => blend(key, ofValues[i]!));
      const total = scores.reduce((sum, score) => sum + score, 0);
      return Float32Array.from(scores, (score) => score / total).fill(1, 0, numSinks);
    });
  },
});

const combinations = {
  key: (key: number) => key,
  value: (_: number, value: number) => value,
  kv_avg: (key: number, value: number) => (key + value) / 2,
  kv_product: (key: number, value: number) => key * value,
};

/** Each value as a part of the sum of its window. */
function localParts(values: Float64Array, window: number): Float64Array {
  const sums = new Float64Array(Math.ceil(values.length / window));
  for (const [i, value] of values.entries()) sums[Math.floor(i / window)]! += value;
  return values.map((value, i) => value / sums[Math.floor(i / window)]!);
}
