/** What every entry of the package exports, whatever the runtime. */
export type { Scheme } from "./cache/cache.ts";
export * from "./errors.ts";
export type { ModelConfig } from "./model/config.ts";
export type { ModelSource } from "./model/load.ts";
export type { LoadOptions, LoadProgress } from "./model/load-options.ts";
export type { Model, ModelMemory } from "./model/model.ts";
export type { TensorSummary } from "./model/tensor-summary.ts";
export { type AdaKVOptions, adaKV } from "./press/adakv.ts";
export { type BlockOptions, block } from "./press/block.ts";
export type { Budget, OptionalBudget, Protect } from "./press/budget.ts";
export { type CamOptions, cam } from "./press/cam.ts";
export { type CapOptions, cap } from "./press/cap.ts";
export { type ChunkOptions, chunk } from "./press/chunk.ts";
export { type ChunkKVOptions, chunkKV } from "./press/chunkkv.ts";
export { type CompactorOptions, compactor } from "./press/compactor.ts";
export { type ComposedStep, composed } from "./press/composed.ts";
export { type CriticalKVOptions, criticalAdaKV, criticalKV } from "./press/criticalkv.ts";
export { type CurOptions, cur } from "./press/cur.ts";
export {
  type CompressionRatioDecodingOptions,
  compressionRatioDecoding,
  type DecodingOptions,
  decoding,
  type PrefillDecodingOptions,
  prefillDecoding,
} from "./press/decoding.ts";
export { type DMSOptions, dms } from "./press/dms.ts";
export { type DuoAttentionOptions, duoAttention } from "./press/duo-attention.ts";
export { type EntropyGatedChunkKVOptions, entropyGatedChunkKV } from "./press/entropy-gated-chunkkv.ts";
export { type ExpectedAttentionOptions, expectedAttention } from "./press/expected-attention.ts";
export { type FinchOptions, finch } from "./press/finch.ts";
export { type FinchPressOptions, finchPress } from "./press/finch-press.ts";
export { keyDiff } from "./press/keydiff.ts";
export { knorm } from "./press/knorm.ts";
export { type KVComposeOptions, kvCompose } from "./press/kvcompose.ts";
export { type KVzipOptions, kvzip } from "./press/kvzip.ts";
export { type LagKVOptions, lagKV } from "./press/lagkv.ts";
export { type LeverageOptions, leverageScore } from "./press/leverage.ts";
export { type LUKVOptions, luKV } from "./press/lukv.ts";
export { type MergingOptions, merging } from "./press/merging.ts";
export { type NonCausalAttentionOptions, nonCausalAttention } from "./press/non-causal-attention.ts";
export { observedAttention } from "./press/observed-attention.ts";
export { type PerLayerOptions, perLayer } from "./press/per-layer.ts";
export type {
  LayerEntries,
  LayerSelection,
  ModelEntries,
  ModelPress,
  PassPress,
  Press,
  QuestionPress,
  Reach,
  ScorePress,
  SelectPress,
  StepsPress,
} from "./press/press.ts";
export { type PyramidOptions, pyramid, pyramidKV } from "./press/pyramidkv.ts";
export { type QFilterOptions, qFilter } from "./press/qfilter.ts";
export { type RandomOptions, random } from "./press/random.ts";
export { type PressName, press, pressNames } from "./press/registry.ts";
export { type SimLayerOptions, simLayer } from "./press/simlayer.ts";
export { type SiskinOptions, siskin } from "./press/siskin.ts";
export { type SnapKVOptions, snapKV } from "./press/snapkv.ts";
export { type StreamingLLMOptions, streamingLLM } from "./press/streaming-llm.ts";
export { type ThinkOptions, think } from "./press/think.ts";
export { tova } from "./press/tova.ts";
export type { DocumentText } from "./session/document.ts";
export type { EndlessOptions } from "./session/endless.ts";
export type { GenerateOptions } from "./session/generate.ts";
export type { ReadOptions, ReadProgress } from "./session/read.ts";
export type { SamplingOptions } from "./session/sampling.ts";
export type { Session, SessionOptions } from "./session/session.ts";
export type { RotationOptions } from "./tensor/rotation.ts";
export { type RotaryEmbeddingOptions, Tensor, type TensorType } from "./tensor/tensor.ts";
export type { ChatTemplate, Message, RenderOptions } from "./tokenizer/chat-template.ts";
export type { Tokenizer } from "./tokenizer/tokenizer.ts";
