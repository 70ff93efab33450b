/** StreamingLLM, by place alone. */
import { keptOf } from "../budget.ts";
import { definePress, type OptionsOf } from "../define.ts";
import { whole } from "../settings.ts";
import { isLongerThan } from "../tools/check.ts";
import { eachHead, equalScores } from "../tools/each-head.ts";

export type StreamingLLMOptions = OptionsOf<typeof streamingLLM>;

/** Keeps the sinks and the newest entries. */
export const streamingLLM = definePress({
  name: "streamingllm",
  paper:
    "StreamingLLM: Efficient Streaming Language Models with Attention Sinks (Xiao et al., ICLR 2024, arXiv 2309.17453)",
  options: {
    /** First entries that are always kept: attention sinks. */
    nSink: whole(4, 0),
  },
  least: ({ nSink }) => nSink + 1,
  score: (layer, { nSink }, target) => {
    if (!isLongerThan(layer, "nSink", nSink)) return equalScores(layer);
    return eachHead(layer, (head) => {
      const length = layer.length(head);
      return new Float32Array(length).fill(1).fill(0, nSink, nSink + length - keptOf(target, layer, head));
    });
  },
});
