/** ThinK, which thins the dimensions of keys. */
import { ArgumentError } from "../../errors.ts";
import { definePress, type OptionsOf } from "../define.ts";
import type { LayerEntries } from "../press.ts";
import { part, whole } from "../settings.ts";
import { eachHead, eachMember } from "../tools/each-head.ts";
import { range } from "../tools/vectors.ts";

export type ThinkOptions = OptionsOf<typeof think>;

/**
 * Sets those dimensions of the keys to zero that add least to the products with the last queries; all entries stay, and
 * their memory. Keys that are turned later mix a dimension with its pair: use it in the `original` scheme.
 */
export const think = definePress({
  name: "think",
  paper: "ThinK: Thinner Key Cache by Query-Driven Pruning (Xu et al., ICLR 2025, arXiv 2407.21018)",
  options: {
    /** The part of the keys' dimensions that is set to zero. */
    keyChannelCompressionRatio: part(0),
    /** Last rows whose queries say what a dimension counts. */
    windowSize: whole(32),
  },
  ownBudget: true,
  needs: ({ windowSize }) => ({ queryRows: windowSize }),
  select: (layer, { keyChannelCompressionRatio, windowSize }) => {
    const { headSize } = layer;
    const pruned = Math.trunc(headSize * keyChannelCompressionRatio);
    return {
      kept: eachHead(layer, (head) => range(0, layer.length(head))),
      keys: eachHead(layer, (head) => {
        const keys = layer.keys(head);
        const ofKeys = squareMeans(keys, headSize);
        const weights = windowSquares(layer, head, windowSize).map((query, i) => -query * ofKeys[i]!);
        for (const channel of layer.highest(weights, pruned)) {
          for (let i = channel; i < keys.length; i += headSize) keys[i] = 0;
        }
        return keys;
      }),
    };
  },
});

/** The mean square of every dimension of the rotated queries of a KV head's last rows. */
function windowSquares(layer: LayerEntries, head: number, windowSize: number): Float32Array {
  const { headSize, queryRows } = layer;
  if (queryRows < windowSize && !layer.chunked) {
    throw new ArgumentError(`A window of ${windowSize} rows needs a pass of as many; there are ${queryRows}`);
  }
  const first = Math.max(0, queryRows - windowSize);
  const squares = eachMember(layer, head, (queryHead) =>
    squareMeans(layer.rotatedQueries(queryHead).subarray(first * headSize), headSize),
  );
  return Float32Array.from(squares[0]!, (_, i) => squares.reduce((sum, list) => sum + list[i]!, 0) / squares.length);
}

function squareMeans(rows: Float32Array, width: number): Float64Array {
  const sums = new Float64Array(width);
  for (let i = 0; i < rows.length; i++) sums[i % width]! += rows[i]! * rows[i]!;
  return sums.map((sum) => (sum * width) / rows.length);
}
