/** CriticalKV: Identify Critical KV Cache in LLM Inference from an Output Perturbation Perspective (Feng et al. 2025, arXiv 2502.03805). */

import type { LayerEntries, ScorePress, SelectPress } from "../press.ts";
import { checkWithin } from "../tools/check.ts";
import { scoresOf, splitIndices } from "../tools/choose.ts";
import { eachHead, eachMember } from "../tools/each-head.ts";
import { meanOf } from "../tools/vectors.ts";
import { type AdaKVOptions, highestOfAll, lengthsOf, safeguarded, withLargest } from "./adakv.ts";

/** Settings of the press. */
export interface CriticalKVOptions {
  /** Added to a score before it is multiplied with what the value writes. */
  readonly epsilon?: number;
  /** The part of the budget that goes by score alone. */
  readonly firstStageRatio?: number;
}

/**
 * Half of the budget goes by an inner press's scores, the rest by score times the L1 norm of the value's output.
 * @throws ArgumentError for settings that cannot be
 */
export function criticalKV(press: ScorePress, options: CriticalKVOptions = {}): ScorePress {
  const { epsilon = 1e-4, firstStageRatio = 0.5 } = options;
  checkWithin({ firstStageRatio }, 0, 1);
  return {
    kind: "score",
    name: `criticalkv of ${press.name}`,
    needs: press.needs,
    score: (entries, target) => {
      const norms = projectedNorms(entries);
      return scoresOf(press, entries, target).map((scores, head) => {
        const budget = (1 - target.ratio(entries, head)) * scores.length * firstStageRatio;
        const first = firstStageRatio > 0 ? Math.max(1, Math.trunc(budget)) : 0;
        return withLargest(weighted(scores, norms[head]!, epsilon), entries.highest(scores, first));
      });
    },
  };
}

/**
 * CriticalKV within budgets that the heads of a layer share as in Ada-KV.
 * @throws ArgumentError for settings that cannot be
 */
export function criticalAdaKV(press: ScorePress, options: AdaKVOptions & CriticalKVOptions = {}): SelectPress {
  const { alphaSafeguard = 0.2, epsilon = 1e-4, firstStageRatio = 0.5 } = options;
  checkWithin({ alphaSafeguard, firstStageRatio }, 0, 1);
  return {
    kind: "select",
    name: `criticaladakv of ${press.name}`,
    needs: press.needs,
    select: (entries, target) => {
      const scores = safeguarded(entries, target, scoresOf(press, entries, target), alphaSafeguard);
      const norms = projectedNorms(entries);
      const shares = splitIndices(highestOfAll(entries, target, scores), lengthsOf(scores));
      return {
        kept: shares.map(({ length: share }, head) => {
          const first = entries.highest(scores[head]!, Math.trunc(share * firstStageRatio));
          const second = withLargest(weighted(scores[head]!, norms[head]!, epsilon), first);
          return entries.highest(second, share);
        }),
      };
    },
  };
}

function weighted(scores: Float32Array, norms: Float32Array, epsilon: number): Float32Array {
  return scores.map((score, i) => (score + epsilon) * norms[i]!);
}

/** The mean over a group's query heads of the L1 norm of what a value writes: for each KV head [length]. */
function projectedNorms(entries: LayerEntries): Float32Array[] {
  const { headSize, hiddenSize } = entries;
  return eachHead(entries, (head) => {
    const values = entries.values(head);
    return meanOf(
      eachMember(entries, head, (queryHead) => {
        const written = entries.multiply(values, entries.outputProjection(queryHead), headSize);
        const norms = new Float64Array(values.length / headSize);
        for (let i = 0; i < written.length; i++) norms[Math.floor(i / hiddenSize)]! += Math.abs(written[i]!);
        return norms;
      }),
    );
  });
}
