/** ThinK: Thinner Key Cache by Query-Driven Pruning (Xu et al., ICLR 2025, arXiv 2407.21018). */
import { ArgumentError } from "../../errors.ts";
import { rotate } from "../../rotary/rotate.ts";
import type { LayerEntries, SelectPress } from "../press.ts";
import { checkWhole, checkWithin } from "../tools/check.ts";
import { eachHead, eachMember } from "../tools/each-head.ts";
import { range } from "../tools/vectors.ts";

/** Settings of the press. */
export interface ThinkOptions {
  /** The part of the keys' dimensions that is set to zero. */
  readonly keyChannelCompressionRatio?: number;
  /** Last rows whose queries say what a dimension counts. */
  readonly windowSize?: number;
}

/**
 * Sets those dimensions of the keys to zero that add least to the products with the last queries; all entries stay, and
 * their memory. Keys that are turned later mix a dimension with its pair: use it in the `original` scheme.
 * @throws ArgumentError for settings that cannot be
 */
export function think(options: ThinkOptions = {}): SelectPress {
  const { keyChannelCompressionRatio = 0, windowSize = 32 } = options;
  checkWithin({ keyChannelCompressionRatio }, 0, 1);
  checkWhole({ windowSize }, 1);
  return {
    kind: "select",
    name: "think",
    ownBudget: true,
    needs: { queryRows: windowSize },
    select: (entries) => {
      const { headSize } = entries;
      const pruned = Math.trunc(headSize * keyChannelCompressionRatio);
      return {
        kept: eachHead(entries, (head) => range(0, entries.length(head))),
        keys: eachHead(entries, (head) => {
          const keys = entries.keys(head);
          const ofKeys = squareMeans(keys, headSize);
          const weights = windowSquares(entries, head, windowSize).map((query, i) => -query * ofKeys[i]!);
          for (const channel of entries.highest(weights, pruned)) {
            for (let i = channel; i < keys.length; i += headSize) keys[i] = 0;
          }
          return keys;
        }),
      };
    },
  };
}

/** The mean square of every dimension of the rotated queries of a KV head's last rows. */
function windowSquares(entries: LayerEntries, head: number, windowSize: number): Float32Array {
  const { headSize, queryRows } = entries;
  if (queryRows < windowSize && !entries.chunked) {
    throw new ArgumentError(`A window of ${windowSize} rows needs a pass of as many; there are ${queryRows}`);
  }
  const first = Math.max(0, queryRows - windowSize);
  const places = entries.queryPlaces(head).subarray(first);
  const squares = eachMember(entries, head, (queryHead) => {
    const rows = entries.queries(queryHead).subarray(first * headSize);
    return squareMeans(rotate(rows, headSize, places, entries.frequencies), headSize);
  });
  return Float32Array.from(squares[0]!, (_, i) => squares.reduce((sum, list) => sum + list[i]!, 0) / squares.length);
}

function squareMeans(rows: Float32Array, width: number): Float64Array {
  const sums = new Float64Array(width);
  for (let i = 0; i < rows.length; i++) sums[i % width]! += rows[i]! * rows[i]!;
  return sums.map((sum) => (sum * width) / rows.length);
}
