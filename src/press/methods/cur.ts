/** CurDKV: Value-Guided KV Compression for LLMs via Approximated CUR Decomposition (Sengupta et al. 2025, arXiv 2509.15038). */
import { ArgumentError } from "../../errors.ts";
import { show } from "../../show.ts";
import type { ScorePress } from "../press.ts";
import { checkWhole } from "../tools/check.ts";
import { eachHead } from "../tools/each-head.ts";
import { rowDots } from "../tools/vectors.ts";
import { normal } from "./random.ts";

/** Settings of the press. */
export interface CurOptions {
  /** First entries that are always kept. */
  readonly numSinks?: number;
  /** What a score is made of: the leverage of key or value, their mean, or their product. */
  readonly leverageType?: "key" | "value" | "kv_avg" | "kv_product";
  /** Whether keys and values are first projected to 20 random dimensions. */
  readonly useRandomLeverage?: boolean;
  /** Whether leverages are relative to the entry's window. */
  readonly useLocalApproximation?: boolean;
  /** Entries of a window. */
  readonly localWindowSize?: number;
  /** Equal seeds give equal projections. */
  readonly seed?: number;
}

/** Dimensions of the random projection. */
const PROJECTED = 20;

/**
 * An entry's score is the squared norm of its key and of its value, as a part of its neighbours'.
 * @throws ArgumentError for settings that cannot be
 */
export function cur(options: CurOptions = {}): ScorePress {
  const { numSinks = 4, leverageType = "kv_product", useRandomLeverage = false } = options;
  const { useLocalApproximation = true, localWindowSize = 16, seed = 0 } = options;
  checkWhole({ numSinks }, 0);
  checkWhole({ localWindowSize }, 1);
  const blend = combinations[leverageType];
  if (!blend)
    throw new ArgumentError(
      `leverageType should be one of ${Object.keys(combinations).join(", ")} and is ${show(leverageType)}`,
    );
  return {
    kind: "score",
    name: "cur",
    score: (entries) => {
      const next = normal(seed + entries.layer);
      const { headSize } = entries;
      const projection = useRandomLeverage
        ? Float32Array.from({ length: PROJECTED * headSize }, () => next() / Math.sqrt(PROJECTED))
        : undefined;
      const leverages = (rows: Float32Array) => {
        const projected = projection ? entries.multiply(rows, projection, headSize) : rows;
        const squares = rowDots(projected, projected, projection ? PROJECTED : headSize);
        return useLocalApproximation ? localParts(squares, localWindowSize) : squares;
      };
      return eachHead(entries, (head) => {
        const ofKeys = leverages(entries.keys(head));
        const ofValues = leverages(entries.values(head));
        const scores = ofKeys.map((key, i) => blend(key, ofValues[i]!));
        const total = scores.reduce((sum, score) => sum + score, 0);
        return Float32Array.from(scores, (score) => score / total).fill(1, 0, numSinks);
      });
    },
  };
}

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
