/** FINCH over one whole pass, the question at its end. */
import { ArgumentError } from "../../errors.ts";
import { keptOf, remaining } from "../budget.ts";
import { definePress, type OptionsOf } from "../define.ts";
import type { LayerEntries, ScorePress } from "../press.ts";
import { flag, optional, required, whole } from "../settings.ts";
import { columnMeans } from "../tools/attention.ts";
import { windowRows } from "../tools/check.ts";
import { scoresOf } from "../tools/choose.ts";
import { eachHead, equalScores, surround } from "../tools/each-head.ts";
import { meanOf, range } from "../tools/vectors.ts";

export type FinchWholePassOptions = OptionsOf<typeof finchWholePass>;

/**
 * Document and question are read in one pass; an entry's score is the mean attention that the question's rows give it.
 * (`finch` reads in chunks, as published; this is the form that memory for the whole document allows.)
 */
export const finchWholePass = definePress({
  name: "finchpress",
  paper: "FINCH over one whole pass: Prompt-guided Key-Value Cache Compression (Corallo and Papotti, TACL 2024)",
  options: {
    /** Tokens of the question, which stands at the end of the pass and is always kept. */
    windowSize: required(whole),
    /** Entries that lose the same part, each chunk for itself; else all together. */
    chunkLength: optional(whole),
    /** Whether a weight counts times the entries that its row sees. */
    normalizeScores: flag(true),
  },
  needs: ({ windowSize }) => ({ queryRows: windowSize }),
  approximate: true,
  select: (layer, { windowSize, chunkLength, normalizeScores }, target) => {
    const scored: ScorePress = {
      kind: "score",
      name: "finchpress",
      score: () => questionScores(layer, windowSize, normalizeScores),
    };
    const kept = scoresOf(scored, layer, target).map((scores, head) => {
      if (chunkLength === undefined) return layer.highest(scores, keptOf(target, layer, head));
      const ratio = target.ratio(layer, head);
      if (chunkLength <= windowSize / (1 - ratio)) {
        throw new ArgumentError(
          `chunkLength ${chunkLength} cannot keep a question of ${windowSize} tokens at ratio ${ratio}`,
        );
      }
      const starts = range(0, Math.ceil(scores.length / chunkLength)).map((chunk) => chunk * chunkLength);
      return Int32Array.from(
        [...starts].flatMap((first) => {
          const part = scores.subarray(first, first + chunkLength);
          const count = remaining(part.length, ratio);
          return [...layer.highest(part, count)].map((index) => first + index);
        }),
      );
    });
    return { kept };
  },
});

function questionScores(layer: LayerEntries, windowSize: number, normalize: boolean): Float32Array[] {
  const window = windowRows(layer, windowSize);
  if (window === 0) return equalScores(layer);
  const scores = eachHead(layer, (head) => {
    const length = layer.length(head);
    const means = layer.attention(head, window).map((weights) => {
      const seen = (row: number) => length - window + row;
      return columnMeans(
        normalize ? weights.map((weight, i) => weight * seen(Math.floor(i / length))) : weights,
        length,
      );
    });
    return meanOf(means).subarray(0, length - window);
  });
  return surround(scores, 0, window);
}
