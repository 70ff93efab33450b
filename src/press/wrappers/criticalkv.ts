/** CriticalKV: what an entry's value writes counts, too. */
import { defineWrapper, type OptionsOf } from "../define.ts";
import type { LayerEntries } from "../press.ts";
import { number, part } from "../settings.ts";
import { scoresOf, splitIndices } from "../tools/choose.ts";
import { eachHead, eachMember } from "../tools/each-head.ts";
import { meanOf } from "../tools/vectors.ts";
import { adaKV, highestOfAll, lengthsOf, safeguarded, withLargest } from "./adakv.ts";

export type CriticalKVOptions = OptionsOf<typeof criticalKV>;
export type CriticalAdaKVOptions = OptionsOf<typeof criticalAdaKV>;

const paper =
  "CriticalKV: Identify Critical KV Cache in LLM Inference from an Output Perturbation Perspective (Feng et al. 2025, arXiv 2502.03805)";

const options = {
  /** Added to a score before it is multiplied with what the value writes. */
  epsilon: number(1e-4),
  /** The part of the budget that goes by score alone. */
  firstStageRatio: part(0.5),
};

/** Half of the budget goes by an inner press's scores, the rest by score times the L1 norm of the value's output. */
export const criticalKV = defineWrapper({
  name: "criticalkv",
  paper,
  options,
  score: (layer, inner, { epsilon, firstStageRatio }, target) => {
    const norms = projectedNorms(layer);
    return scoresOf(inner, layer, target).map((scores, head) => {
      const budget = (1 - target.ratio(layer, head)) * scores.length * firstStageRatio;
      const first = firstStageRatio > 0 ? Math.max(1, Math.trunc(budget)) : 0;
      return withLargest(weighted(scores, norms[head]!, epsilon), layer.highest(scores, first));
    });
  },
});

/** CriticalKV within budgets that the heads of a layer share as in Ada-KV. */
export const criticalAdaKV = defineWrapper({
  name: "criticaladakv",
  paper,
  options: { alphaSafeguard: adaKV.definition.settings.alphaSafeguard, ...options },
  select: (layer, inner, { alphaSafeguard, epsilon, firstStageRatio }, target) => {
    const scores = safeguarded(layer, target, scoresOf(inner, layer, target), alphaSafeguard);
    const norms = projectedNorms(layer);
    const shares = splitIndices(highestOfAll(layer, target, scores), lengthsOf(scores));
    return {
      kept: shares.map(({ length: share }, head) => {
        const first = layer.highest(scores[head]!, Math.trunc(share * firstStageRatio));
        const second = withLargest(weighted(scores[head]!, norms[head]!, epsilon), first);
        return layer.highest(second, share);
      }),
    };
  },
});

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
