/** DuoAttention, which shortens the heads that were not trained to retrieve. */
import { ArgumentError } from "../../errors.ts";
import { definePress, type OptionsOf } from "../define.ts";
import { list, number, part, required, whole } from "../settings.ts";
import { eachHead } from "../tools/each-head.ts";
import { range, roundHalfEven } from "../tools/vectors.ts";

export type DuoAttentionOptions = OptionsOf<typeof duoAttention>;

/** Retrieval heads keep everything, streaming heads the first and the newest entries; takes no other budget. */
export const duoAttention = definePress({
  name: "duoattention",
  paper:
    "DuoAttention: Efficient Long-Context LLM Inference with Retrieval and Streaming Heads (Xiao et al., ICLR 2025, arXiv 2410.10819)",
  options: {
    /** How much each head retrieves, [layers][KV heads]: found by training, for each model. */
    headScores: required(() => list(() => list(number))),
    /** The part of the model's heads that become streaming heads: those of the lowest scores. */
    headCompressionRatio: part(0),
    /** First entries that a streaming head keeps. */
    sinkSize: whole(128, 0),
    /** Newest entries that a streaming head keeps. */
    recentSize: whole(256),
  },
  ownBudget: true,
  select: (entries, { headScores, headCompressionRatio, sinkSize, recentSize }) => {
    if (headScores.length !== entries.layers || headScores[entries.layer]!.length !== entries.kvHeads) {
      throw new ArgumentError(`headScores should be ${entries.layers} lists of ${entries.kvHeads} numbers`);
    }
    const heads = headScores.flatMap((scores, layer) => scores.map((score, head) => ({ layer, head, score })));
    const streaming = heads
      .sort((a, b) => a.score - b.score)
      .slice(0, roundHalfEven(heads.length * headCompressionRatio))
      .flatMap(({ layer, head }) => (layer === entries.layer ? [head] : []));
    return {
      kept: eachHead(entries, (head) => {
        const length = entries.length(head);
        if (length <= sinkSize + recentSize || !streaming.includes(head)) return range(0, length);
        return Int32Array.from([...range(0, sinkSize), ...range(length - recentSize, length)]);
      }),
    };
  },
});
