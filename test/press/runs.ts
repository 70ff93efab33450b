/** How every recorded run of kvpress is repeated here: the press and, where it is not a ratio alone, the budget and scheme. */

import { cap } from "../../src/press/methods/cap.ts";
import { compactor } from "../../src/press/methods/compactor.ts";
import { cur } from "../../src/press/methods/cur.ts";
import { duoAttention } from "../../src/press/methods/duo-attention.ts";
import { expectedAttention } from "../../src/press/methods/expected-attention.ts";
import { finchWholePass } from "../../src/press/methods/finch-whole-pass.ts";
import { keyDiff } from "../../src/press/methods/keydiff.ts";
import { knorm } from "../../src/press/methods/knorm.ts";
import { kvCompose } from "../../src/press/methods/kvcompose.ts";
import { kvzip } from "../../src/press/methods/kvzip.ts";
import { lagKV } from "../../src/press/methods/lagkv.ts";
import { leverageScore } from "../../src/press/methods/leverage.ts";
import { nonCausalAttention } from "../../src/press/methods/non-causal-attention.ts";
import { observedAttention } from "../../src/press/methods/observed-attention.ts";
import { qFilter } from "../../src/press/methods/qfilter.ts";
import { random } from "../../src/press/methods/random.ts";
import { simLayer } from "../../src/press/methods/simlayer.ts";
import { snapKV } from "../../src/press/methods/snapkv.ts";
import { streamingLLM } from "../../src/press/methods/streaming-llm.ts";
import { think } from "../../src/press/methods/think.ts";
import { tova } from "../../src/press/methods/tova.ts";
import type { ScorePress } from "../../src/press/press.ts";
import { adaKV } from "../../src/press/wrappers/adakv.ts";
import { block } from "../../src/press/wrappers/block.ts";
import { cam } from "../../src/press/wrappers/cam.ts";
import { chunk } from "../../src/press/wrappers/chunk.ts";
import { chunkKV } from "../../src/press/wrappers/chunkkv.ts";
import { composed } from "../../src/press/wrappers/composed.ts";
import { criticalAdaKV, criticalKV } from "../../src/press/wrappers/criticalkv.ts";
import { compressionRatioDecoding, decoding, prefillDecoding } from "../../src/press/wrappers/decoding.ts";
import { dms } from "../../src/press/wrappers/dms.ts";
import { entropyGatedChunkKV } from "../../src/press/wrappers/entropy-gated-chunkkv.ts";
import { luKV } from "../../src/press/wrappers/lukv.ts";
import { merging } from "../../src/press/wrappers/merging.ts";
import { perLayer } from "../../src/press/wrappers/per-layer.ts";
import { pyramid } from "../../src/press/wrappers/pyramidkv.ts";
import { context, kvHeads, type Repeat, recorded } from "./recorded.ts";

const plain = (make: () => ScorePress): Repeat => ({ press: (spy) => spy(make()) });
const rerotated = (make: () => ScorePress): Repeat => ({ ...plain(make), scheme: "contiguous" });
const windowSize = context.finch.window;

/** Numbers in lists of `width`. */
function rows(values: Float32Array, width: number): number[][] {
  return Array.from({ length: values.length / width }, (_, row) => [
    ...values.subarray(row * width, (row + 1) * width),
  ]);
}

/** Numbers of one layer as one list for each KV head. */
function heads(values: Float32Array): Float32Array[] {
  return rows(values, values.length / kvHeads).map((list) => Float32Array.from(list));
}

/** Numbers recorded as [layers, KV heads, ...], cut to a layer's heads. */
function byLayer(run: string, name: string, layer: number): Float32Array[] {
  const values = recorded(run, name);
  const perHead = values.length / 8 / kvHeads;
  return Array.from({ length: kvHeads }, (_, head) => {
    const start = (layer * kvHeads + head) * perHead;
    return values.slice(start, start + perHead);
  });
}

export const repeats: Readonly<Record<string, Repeat>> = {
  "knorm_0.5": plain(knorm),
  "knorm_0.8": plain(knorm),
  "streaming_llm_0.5": plain(streamingLLM),
  "streaming_llm_0.8": plain(streamingLLM),
  "snapkv_0.5": plain(snapKV),
  "snapkv_0.8": plain(snapKV),
  "snapkv_w16_k7_0.5": plain(() => snapKV({ windowSize: 16, kernelSize: 7 })),
  "tova_0.5": plain(tova),
  "tova_0.8": plain(tova),
  "expected_attention_0.5": plain(expectedAttention),
  "expected_attention_0.8": plain(expectedAttention),
  "expected_attention_no_vnorm_0.5": plain(() => expectedAttention({ useVnorm: false })),
  "expected_attention_no_vnorm_0.8": plain(() => expectedAttention({ useVnorm: false })),
  "expected_attention_no_covariance_0.5": plain(() => expectedAttention({ useCovariance: false })),
  "expected_attention_no_covariance_0.8": plain(() => expectedAttention({ useCovariance: false })),
  "expected_attention_mean_only_0.5": plain(() => expectedAttention({ useCovariance: false, useVnorm: false })),
  "expected_attention_epsilon_0.5": plain(() => expectedAttention({ epsilon: 0.02 })),
  "keydiff_0.5": plain(keyDiff),
  "keydiff_0.8": plain(keyDiff),
  "lagkv_0.5": plain(lagKV),
  "lagkv_0.8": plain(lagKV),
  "lagkv_cross_scoring_0.5": plain(() => lagKV({ crossScoring: true })),
  "observed_attention_0.5": plain(observedAttention),
  "observed_attention_0.8": plain(observedAttention),
  "finch_0.5": { press: () => finchWholePass({ windowSize }), scheme: "contiguous" },
  "finch_0.8": { press: () => finchWholePass({ windowSize }), scheme: "contiguous" },
  "finch_not_rerotated_0.5": { press: () => finchWholePass({ windowSize }) },
  "finch_not_rerotated_0.8": { press: () => finchWholePass({ windowSize }) },
  "finch_not_normalised_0.5": {
    press: () => finchWholePass({ windowSize, normalizeScores: false }),
    scheme: "contiguous",
  },
  "finch_chunks_of_256_0.5": { press: () => finchWholePass({ windowSize, chunkLength: 256 }), scheme: "contiguous" },
  "rerotated_knorm_0.5": rerotated(knorm),
  "rerotated_knorm_0.8": rerotated(knorm),
  "rerotated_snapkv_0.5": rerotated(snapKV),
  "rerotated_snapkv_0.8": rerotated(snapKV),
  "rerotated_streaming_llm_0.5": rerotated(streamingLLM),
  "rerotated_streaming_llm_0.8": rerotated(streamingLLM),
  "rerotated_expected_attention_0.5": rerotated(expectedAttention),
  "rerotated_expected_attention_0.8": rerotated(expectedAttention),
  "pyramidkv_0.5": { press: (spy) => pyramid(spy(snapKV())) },
  "pyramidkv_0.8": { press: (spy) => pyramid(spy(snapKV())) },
  "chunkkv_snapkv_0.5": { press: (spy) => chunkKV(spy(snapKV())) },
  "chunkkv_snapkv_0.8": { press: (spy) => chunkKV(spy(snapKV())) },
  "chunk_knorm_0.5": { press: () => chunk(knorm(), { chunkLength: 128 }) },
  "chunk_knorm_0.8": { press: () => chunk(knorm(), { chunkLength: 128 }) },
  "chunk_keydiff_0.5": { press: () => chunk(keyDiff(), { chunkLength: 256 }) },
  "block_keydiff_0.5": { press: () => block(keyDiff()) },
  "block_keydiff_0.8": { press: () => block(keyDiff()) },
  "block_knorm_0.5": { press: () => block(knorm()) },
  "adakv_snapkv_0.5": { press: (spy) => adaKV(spy(snapKV())) },
  "adakv_snapkv_0.8": { press: (spy) => adaKV(spy(snapKV())) },
  "adakv_expected_attention_0.5": { press: (spy) => adaKV(spy(expectedAttention())) },
  "adakv_expected_attention_0.8": { press: (spy) => adaKV(spy(expectedAttention())) },
  "adakv_knorm_no_safeguard_0.5": { press: (spy) => adaKV(spy(knorm()), { alphaSafeguard: 0 }) },
  "criticalkv_snapkv_0.5": { press: (spy) => spy(criticalKV(snapKV())) },
  "criticalkv_snapkv_0.8": { press: (spy) => spy(criticalKV(snapKV())) },
  "criticalkv_expected_attention_0.5": {
    press: (spy) => spy(criticalKV(expectedAttention({ useVnorm: false }))),
  },
  "critical_adakv_snapkv_0.5": { press: (spy) => criticalAdaKV(spy(snapKV())) },
  "critical_adakv_snapkv_0.8": { press: (spy) => criticalAdaKV(spy(snapKV())) },
  "cur_0.5": plain(cur),
  "cur_0.8": plain(cur),
  "cur_key_0.5": plain(() => cur({ leverageType: "key" })),
  "cur_average_not_local_0.5": plain(() => cur({ leverageType: "kv_avg", useLocalApproximation: false })),
  "leverage_0.5": plain(() => leverageScore({ draw: (layer) => heads(recorded("leverage_0.5", `draw.${layer}`)) })),
  "non_causal_attention_0.5": plain(nonCausalAttention),
  "non_causal_attention_0.8": plain(nonCausalAttention),
  "compactor_0.5": plain(() => compactor({ draw: (layer) => heads(recorded("compactor_0.5", `draw.${layer}`)) })),
  "kvzip_0.5": { press: () => kvzip() },
  "kvzip_0.8": { press: () => kvzip() },
  "kvzip_layerwise_0.5": { press: () => kvzip({ layerwise: true }) },
  "kvzip_plus_0.5": { press: () => kvzip({ kvzipPlusNormalization: true }) },
  "kvzip_chunks_of_256_0.5": { press: () => kvzip({ chunkSize: 256 }) },
  "kvcompose_0.5": { press: () => kvCompose() },
  "kvcompose_unstructured_0.5": { press: () => kvCompose({ structured: false }) },
  simlayer: { press: () => simLayer({ lazyThreshold: 0.8198, nRecent: 200, nInitial: 4, nLast: 1 }), budget: {} },
  "think_0.5": { press: () => think({ keyChannelCompressionRatio: 0.5 }), budget: {} },
  "composed_snapkv_think_0.5": {
    press: () => composed([{ press: snapKV(), ratio: 0.5 }, { press: think({ keyChannelCompressionRatio: 0.3 }) }]),
    budget: {},
  },
  composed_knorm_streaming: {
    press: () =>
      composed([
        { press: knorm(), ratio: 0.3 },
        { press: streamingLLM(), ratio: 0.3 },
      ]),
  },
  decoding_knorm: { press: () => decoding(knorm(), { compressionInterval: 8, targetSize: 300 }) },
  "decoding_ratio_knorm_0.5": {
    press: () => compressionRatioDecoding(knorm(), { compressionInterval: 8, targetCompressionRatio: 0.5 }),
    budget: {},
  },
  "prefill_decoding_0.5": {
    press: (spy) =>
      prefillDecoding({
        prefillingPress: spy(snapKV()),
        decodingPress: decoding(knorm(), { compressionInterval: 8, targetSize: 200 }),
      }),
  },
  dms_knorm: { press: (spy) => dms(spy(knorm()), { threshold: -16.019 }) },
  dms_knorm_decoding: {
    press: () => dms(knorm(), { threshold: -16.019, slidingWindowSize: 32, decoding: true }),
  },
  "qfilter_0.5": plain(() => qFilter({ qFilters: recorded("qfilter_0.5", "given.q_filters") })),
  "duo_attention_0.5": {
    press: () =>
      duoAttention({
        headScores: rows(recorded("duo_attention_0.5", "given.head_scores"), kvHeads),
        headCompressionRatio: 0.5,
        sinkSize: 16,
        recentSize: 64,
      }),
    budget: {},
  },
  "lukv_0.5": {
    press: (spy) =>
      luKV(spy(expectedAttention({ epsilon: 0.02 })), { budgetCurves: recorded("lukv_0.5", "given.prune_ratios") }),
  },
  "merging_knorm_0.5": { press: (spy) => merging(spy(knorm())) },
  "entropy_gated_chunkkv_snapkv_0.5": { press: (spy) => entropyGatedChunkKV(spy(snapKV())) },
  "cap_0.5": plain(cap),
  cam_knorm: {
    press: () => {
      let draws = 0;
      const draw = () => recorded("cam_knorm", `draw.${draws++}`);
      return cam(knorm(), { compressionInterval: 8, targetSize: 300, mergeBudget: 8, draw });
    },
  },
  per_layer_knorm: {
    press: (spy) => perLayer(spy(knorm()), { compressionRatios: [0.3, 0.357, 0.414, 0.471, 0.529, 0.586, 0.643, 0.7] }),
  },
  "random_0.5": plain(() => random({ draw: (layer) => byLayer("random_0.5", "scores", layer) })),
};
