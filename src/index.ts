/** What every entry of the package exports, whatever the runtime. */
export type { Scheme } from "./cache/cache.ts";
export * from "./errors.ts";
export type { ModelConfig } from "./model/config.ts";
export type { LoadOptions, LoadProgress, ModelSource } from "./model/load.ts";
export type { Model, ModelMemory } from "./model/model.ts";
export type { Budget } from "./press/budget.ts";
export { type FinchOptions, finch } from "./press/finch.ts";
export { knorm } from "./press/knorm.ts";
export type { LayerEntries, Press, QuestionPress, Reach, ScorePress } from "./press/press.ts";
export { type SiskinOptions, siskin } from "./press/siskin.ts";
export type { DocumentText } from "./session/document.ts";
export type { GenerateOptions } from "./session/generate.ts";
export type { ReadProgress } from "./session/read.ts";
export type { SamplingOptions } from "./session/sampling.ts";
export type { ReadOptions, Session, SessionOptions } from "./session/session.ts";
export type { Message } from "./tokenizer/chat-template.ts";
export type { Tokenizer } from "./tokenizer/tokenizer.ts";
