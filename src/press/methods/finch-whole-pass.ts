/** FINCH over one whole pass: Prompt-guided Key-Value Cache Compression (Corallo and Papotti, TACL 2024). */
import { ArgumentError } from "../../errors.ts";
import { keptOf, remaining } from "../budget.ts";
import type { LayerEntries, ScorePress, SelectPress } from "../press.ts";
import { columnMeans, windowAttention } from "../tools/attention.ts";
import { checkWhole, windowRows } from "../tools/check.ts";
import { scoresOf } from "../tools/choose.ts";
import { eachHead, equalScores, surround } from "../tools/each-head.ts";
import { meanOf, range } from "../tools/vectors.ts";

/** Settings of the press. */
export interface FinchPressOptions {
  /** Tokens of the question, which stands at the end of the pass and is always kept. */
  readonly windowSize: number;
  /** Entries that lose the same part, each chunk for itself; else all together. */
  readonly chunkLength?: number;
  /** Whether a weight counts times the entries that its row sees. */
  readonly normalizeScores?: boolean;
}

/**
 * Document and question are read in one pass; an entry's score is the mean attention that the question's rows give it.
 * (`finch` reads in chunks, as published; this is the form that memory for the whole document allows.)
 * @throws ArgumentError for settings that cannot be
 */
export function finchWholePass(options: FinchPressOptions): SelectPress {
  const { windowSize, chunkLength, normalizeScores = true } = options;
  checkWhole({ windowSize, chunkLength: chunkLength ?? 1 }, 1);
  const inner: ScorePress = {
    kind: "score",
    name: "finchpress",
    score: (entries) => questionScores(entries, windowSize, normalizeScores),
  };
  return {
    kind: "select",
    name: "finchpress",
    needs: { queryRows: windowSize },
    select: (entries, target) => ({
      kept: scoresOf(inner, entries, target).map((scores, head) => {
        if (chunkLength === undefined) return entries.highest(scores, keptOf(target, entries, head));
        const ratio = target.ratio(entries, head);
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
            return [...entries.highest(part, count)].map((index) => first + index);
          }),
        );
      }),
    }),
  };
}

function questionScores(entries: LayerEntries, windowSize: number, normalize: boolean): Float32Array[] {
  const window = windowRows(entries, windowSize);
  if (window === 0) return equalScores(entries);
  const scores = eachHead(entries, (head) => {
    const length = entries.length(head);
    const means = windowAttention(entries, head, window).map((weights) => {
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
