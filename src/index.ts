/** What every entry of the package exports, whatever the runtime. */
export type { Scheme } from "./cache/cache.ts";
export * from "./errors.ts";
export type { ModelConfig } from "./model/config.ts";
export type { ModelMemory } from "./model/engine.ts";
export type { GenerationDefaults } from "./model/generation-config.ts";
export type { ModelSource } from "./model/load.ts";
export type { LoadOptions, LoadProgress } from "./model/load-options.ts";
export type { TensorSummary } from "./model/tensor-summary.ts";
export type { Budget, OptionalBudget, Protect } from "./press/budget.ts";
export { type CapOptions, cap } from "./press/methods/cap.ts";
export { type CompactorOptions, compactor } from "./press/methods/compactor.ts";
export { type CurOptions, cur } from "./press/methods/cur.ts";
export { type DuoAttentionOptions, duoAttention } from "./press/methods/duo-attention.ts";
export { type ExpectedAttentionOptions, expectedAttention } from "./press/methods/expected-attention.ts";
export { type FinchOptions, finch } from "./press/methods/finch.ts";
export { type FinchPressOptions, finchWholePass } from "./press/methods/finch-whole-pass.ts";
export { keyDiff } from "./press/methods/keydiff.ts";
export { knorm } from "./press/methods/knorm.ts";
export { type KVComposeOptions, kvCompose } from "./press/methods/kvcompose.ts";
export { type KVzipOptions, kvzip } from "./press/methods/kvzip.ts";
export { type LagKVOptions, lagKV } from "./press/methods/lagkv.ts";
export { type LeverageOptions, leverageScore } from "./press/methods/leverage.ts";
export { type NonCausalAttentionOptions, nonCausalAttention } from "./press/methods/non-causal-attention.ts";
export { observedAttention } from "./press/methods/observed-attention.ts";
export { type QFilterOptions, qFilter } from "./press/methods/qfilter.ts";
export { type RandomOptions, random } from "./press/methods/random.ts";
export { type SimLayerOptions, simLayer } from "./press/methods/simlayer.ts";
export { type SiskinOptions, siskin } from "./press/methods/siskin.ts";
export { type SnapKVOptions, snapKV } from "./press/methods/snapkv.ts";
export { type StreamingLLMOptions, streamingLLM } from "./press/methods/streaming-llm.ts";
export { type ThinkOptions, think } from "./press/methods/think.ts";
export { tova } from "./press/methods/tova.ts";
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
export { type PressName, press, pressNames } from "./press/registry.ts";
export { type AdaKVOptions, adaKV } from "./press/wrappers/adakv.ts";
export { type BlockOptions, block } from "./press/wrappers/block.ts";
export { type CamOptions, cam } from "./press/wrappers/cam.ts";
export { type ChunkOptions, chunk } from "./press/wrappers/chunk.ts";
export { type ChunkKVOptions, chunkKV } from "./press/wrappers/chunkkv.ts";
export { type ComposedStep, composed } from "./press/wrappers/composed.ts";
export { type CriticalKVOptions, criticalAdaKV, criticalKV } from "./press/wrappers/criticalkv.ts";
export {
  type CompressionRatioDecodingOptions,
  compressionRatioDecoding,
  type DecodingOptions,
  decoding,
  type PrefillDecodingOptions,
  prefillDecoding,
} from "./press/wrappers/decoding.ts";
export { type DMSOptions, dms } from "./press/wrappers/dms.ts";
export { type EntropyGatedChunkKVOptions, entropyGatedChunkKV } from "./press/wrappers/entropy-gated-chunkkv.ts";
export { type LUKVOptions, luKV } from "./press/wrappers/lukv.ts";
export { type MergingOptions, merging } from "./press/wrappers/merging.ts";
export { type PerLayerOptions, perLayer } from "./press/wrappers/per-layer.ts";
export { type PyramidOptions, pyramid, pyramidKV } from "./press/wrappers/pyramidkv.ts";
export type { TemplateOptions } from "./session/conversation-tokens.ts";
export type { DocumentText } from "./session/document.ts";
export type { EndlessOptions } from "./session/endless.ts";
export type { AnswerEnd, AnswerToken, GenerateOptions } from "./session/generate.ts";
export type { Model } from "./session/model.ts";
export type { DryOptions } from "./session/penalties.ts";
export type { ReadOptions, ReadProgress } from "./session/read.ts";
export type { SamplingOptions, TokenProbability } from "./session/sampling.ts";
export type { ChatOptions, Session, SessionOptions } from "./session/session.ts";
export type { Range } from "./tensor/arrange.ts";
export type { RotationOptions } from "./tensor/rotation.ts";
export { scope } from "./tensor/scope.ts";
export { type NestedNumbers, type RotaryEmbeddingOptions, Tensor, type TensorType } from "./tensor/tensor.ts";
export type { ChatTemplate, Message, RenderOptions } from "./tokenizer/chat-template.ts";
export type { Frame } from "./tokenizer/prompt-frame.ts";
export type { Tokenizer } from "./tokenizer/tokenizer.ts";
