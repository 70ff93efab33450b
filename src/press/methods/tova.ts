/** TOVA, by the attention of the last row. */
import { definePress } from "../define.ts";
import { evenLength, windowRows } from "../tools/check.ts";
import { eachHead, equalScores, surround } from "../tools/each-head.ts";
import { meanOf } from "../tools/vectors.ts";

/** An entry's score is the attention that the last row gives it, averaged over all heads of the layer. */
export const tova = definePress({
  name: "tova",
  paper: "TOVA: Transformers are Multi-State RNNs (Oren et al., EMNLP 2024, arXiv 2401.06104)",
  needs: { queryRows: 1 },
  score: (layer) => {
    const length = evenLength(layer, "tova");
    if (windowRows(layer, 1) === 0) return equalScores(layer);
    const scores = meanOf(eachHead(layer, (head) => layer.attention(head, 1)).flat());
    return surround(
      eachHead(layer, () => scores.subarray(0, length - 1)),
      0,
      1,
    );
  },
});
