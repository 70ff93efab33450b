/** TOVA: Transformers are Multi-State RNNs (Oren et al., EMNLP 2024, arXiv 2401.06104). */

import type { ScorePress } from "../press.ts";
import { windowAttention } from "../tools/attention.ts";
import { evenLength, windowRows } from "../tools/check.ts";
import { eachHead, equalScores, surround } from "../tools/each-head.ts";
import { meanOf } from "../tools/vectors.ts";

/** An entry's score is the attention that the last row gives it, averaged over all heads of the layer. */
export function tova(): ScorePress {
  return {
    kind: "score",
    name: "tova",
    needs: { queryRows: 1 },
    score: (entries) => {
      const length = evenLength(entries, "tova");
      if (windowRows(entries, 1) === 0) return equalScores(entries);
      const scores = meanOf(eachHead(entries, (head) => windowAttention(entries, head, 1)).flat());
      return surround(
        eachHead(entries, () => scores.subarray(0, length - 1)),
        0,
        1,
      );
    },
  };
}
