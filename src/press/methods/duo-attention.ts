/** DuoAttention: Efficient Long-Context LLM Inference with Retrieval and Streaming Heads (Xiao et al., ICLR 2025, arXiv 2410.10819). */
import { ArgumentError } from "../../errors.ts";
import type { SelectPress } from "../press.ts";
import { checkWhole, checkWithin } from "../tools/check.ts";
import { eachHead } from "../tools/each-head.ts";
import { range } from "../tools/vectors.ts";
import { roundHalfEven } from "../wrappers/pyramidkv.ts";

/** Settings of the press. */
export interface DuoAttentionOptions {
  /** How much each head retrieves, [layers][KV heads]: found by training, for each model. */
  readonly headScores: readonly (readonly number[])[];
  /** The part of the model's heads that become streaming heads: those of the lowest scores. */
  readonly headCompressionRatio?: number;
  /** First entries that a streaming head keeps. */
  readonly sinkSize?: number;
  /** Newest entries that a streaming head keeps. */
  readonly recentSize?: number;
}

/**
 * Retrieval heads keep everything, streaming heads the first and the newest entries; takes no other budget.
 * @throws ArgumentError for settings that cannot be
 */
export function duoAttention(options: DuoAttentionOptions): SelectPress {
  const { headScores, headCompressionRatio = 0, sinkSize = 128, recentSize = 256 } = options;
  checkWithin({ headCompressionRatio }, 0, 1);
  checkWhole({ sinkSize }, 0);
  checkWhole({ recentSize }, 1);
  const heads = headScores.flatMap((scores, layer) => scores.map((score, head) => ({ layer, head, score })));
  const streaming = new Set(
    heads
      .sort((a, b) => a.score - b.score)
      .slice(0, roundHalfEven(heads.length * headCompressionRatio))
      .map(({ layer, head }) => `${layer} ${head}`),
  );
  return {
    kind: "select",
    name: "duoattention",
    ownBudget: true,
    select: (entries) => {
      if (headScores.length !== entries.layers || headScores[entries.layer]!.length !== entries.kvHeads) {
        throw new ArgumentError(`headScores should be ${entries.layers} lists of ${entries.kvHeads} numbers`);
      }
      return {
        kept: eachHead(entries, (head) => {
          const length = entries.length(head);
          const short = length <= sinkSize + recentSize;
          if (short || !streaming.has(`${entries.layer} ${head}`)) return range(0, length);
          return Int32Array.from([...range(0, sinkSize), ...range(length - recentSize, length)]);
        }),
      };
    },
  };
}
