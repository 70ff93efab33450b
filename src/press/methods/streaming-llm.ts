/** StreamingLLM: Efficient Streaming Language Models with Attention Sinks (Xiao et al., ICLR 2024, arXiv 2309.17453). */
import { keptOf } from "../budget.ts";
import type { ScorePress } from "../press.ts";
import { checkWhole, isLongerThan } from "../tools/check.ts";
import { eachHead, equalScores } from "../tools/each-head.ts";

/** Settings of the press. */
export interface StreamingLLMOptions {
  /** First entries that are always kept: attention sinks. */
  readonly nSink?: number;
}

/** Keeps the sinks and the newest entries. @throws ArgumentError for settings that cannot be */
export function streamingLLM(options: StreamingLLMOptions = {}): ScorePress {
  const { nSink = 4 } = options;
  checkWhole({ nSink }, 0);
  return {
    kind: "score",
    name: "streamingllm",
    least: nSink + 1,
    score: (entries, target) => {
      if (!isLongerThan(entries, "nSink", nSink)) return equalScores(entries);
      return eachHead(entries, (head) => {
        const length = entries.length(head);
        return new Float32Array(length).fill(1).fill(0, nSink, nSink + length - keptOf(target, entries, head));
      });
    },
  };
}
