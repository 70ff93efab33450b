/** What every entry of the package exports, whatever the runtime. */
export type { Scheme } from "./cache/cache.ts";
export * from "./errors.ts";
export type { ModelConfig } from "./model/config.ts";
export type { ModelMemory } from "./model/engine.ts";
export type { GenerationDefaults } from "./model/generation-config.ts";
export type { HubLocation, LoadOptions, LoadProgress } from "./model/load-options.ts";
export type { ModelSource } from "./model/open-source.ts";
export type { TensorSummary } from "./model/tensor-summary.ts";
export type { Budget, Protect } from "./press/budget.ts";
export * from "./press/factories.ts";
export type {
  LayerEntries,
  LayerSelection,
  ModelEntries,
  ModelPress,
  PassPress,
  Press,
  Reach,
  ScorePress,
  SelectPress,
  StepsPress,
} from "./press/press.ts";
export { type PressName, press, pressNames } from "./press/registry.ts";
export type { TemplateOptions } from "./session/conversation-tokens.ts";
export type { DocumentText } from "./session/document.ts";
export type { EndlessOptions } from "./session/endless.ts";
export type { AnswerEnd, AnswerToken, GenerateOptions } from "./session/generate.ts";
export type { Model } from "./session/model.ts";
export type { DryOptions } from "./session/penalties.ts";
export type { ReadOptions, ReadProgress } from "./session/read.ts";
export type { SamplingOptions, TokenProbability } from "./session/sampling.ts";
export type { ChatOptions, Session, SessionOptions } from "./session/session.ts";
export type { AnswerReview, Source } from "./session/sources.ts";
export type { Range } from "./tensor/arrange.ts";
export type { RotationOptions } from "./tensor/rotation.ts";
export { scope } from "./tensor/scope.ts";
export { type NestedNumbers, type RotaryEmbeddingOptions, Tensor, type TensorType } from "./tensor/tensor.ts";
export type { ChatTemplate, Message, RenderOptions } from "./tokenizer/chat-template.ts";
export type { Frame } from "./tokenizer/prompt-frame.ts";
export type { Tokenizer } from "./tokenizer/tokenizer.ts";
