/** The registry: what makes each method, one line for each file. All that lists methods reads this. */
export { type CapOptions, cap } from "./methods/cap.ts";
export { type CompactorOptions, compactor } from "./methods/compactor.ts";
export { type CurOptions, cur } from "./methods/cur.ts";
export { type DuoAttentionOptions, duoAttention } from "./methods/duo-attention.ts";
export { type ExpectedAttentionOptions, expectedAttention } from "./methods/expected-attention.ts";
export { type FinchOptions, finch } from "./methods/finch.ts";
export { type FinchWholePassOptions, finchWholePass } from "./methods/finch-whole-pass.ts";
export { keyDiff } from "./methods/keydiff.ts";
export { knorm } from "./methods/knorm.ts";
export { type KVComposeOptions, kvCompose } from "./methods/kvcompose.ts";
export { type KVzipOptions, kvzip } from "./methods/kvzip.ts";
export { type LagKVOptions, lagKV } from "./methods/lagkv.ts";
export { type LeverageOptions, leverageScore } from "./methods/leverage.ts";
export { type NonCausalAttentionOptions, nonCausalAttention } from "./methods/non-causal-attention.ts";
export { observedAttention } from "./methods/observed-attention.ts";
export { type QFilterOptions, qFilter } from "./methods/qfilter.ts";
export { type RandomOptions, random } from "./methods/random.ts";
export { type SimLayerOptions, simLayer } from "./methods/simlayer.ts";
export { type SiskinOptions, siskin } from "./methods/siskin.ts";
export { type SnapKVOptions, snapKV } from "./methods/snapkv.ts";
export { type StreamingLLMOptions, streamingLLM } from "./methods/streaming-llm.ts";
export { type ThinkOptions, think } from "./methods/think.ts";
export { tova } from "./methods/tova.ts";
export { type AdaKVOptions, adaKV } from "./wrappers/adakv.ts";
export { type BlockOptions, block } from "./wrappers/block.ts";
export { type CamOptions, cam } from "./wrappers/cam.ts";
export { type ChunkOptions, chunk } from "./wrappers/chunk.ts";
export { type ChunkKVOptions, chunkKV } from "./wrappers/chunkkv.ts";
export { type ComposedStep, composed } from "./wrappers/composed.ts";
export { type CriticalAdaKVOptions, type CriticalKVOptions, criticalAdaKV, criticalKV } from "./wrappers/criticalkv.ts";
export {
  type CompressionRatioDecodingOptions,
  compressionRatioDecoding,
  type DecodingOptions,
  decoding,
  type PrefillDecodingOptions,
  prefillDecoding,
} from "./wrappers/decoding.ts";
export { type DMSOptions, dms } from "./wrappers/dms.ts";
export { type EntropyGatedChunkKVOptions, entropyGatedChunkKV } from "./wrappers/entropy-gated-chunkkv.ts";
export { type LUKVOptions, luKV } from "./wrappers/lukv.ts";
export { type MergingOptions, merging } from "./wrappers/merging.ts";
export { type PerLayerOptions, perLayer } from "./wrappers/per-layer.ts";
export { type PyramidKVOptions, type PyramidOptions, pyramid, pyramidKV } from "./wrappers/pyramidkv.ts";
