/** What every endpoint works with, and what an answer is to all of them: pieces of text with their tokens, and an end. */
import type { Prefixes } from "../chat/prefixes.ts";
import type { AnswerEnd, AnswerToken, GenerateOptions, Model, TokenProbability } from "../index.ts";

/** What endpoints are given. */
export interface Service {
  readonly model: Model;
  /** The name that clients ask for. */
  readonly name: string;
  readonly prefixes: Prefixes;
  /** Tokens at most where a client does not say. */
  readonly maxTokens: number;
}

/** What an endpoint answers with: as one object, or as events. Exactly one of the two is to be called. */
export interface Reply {
  readonly streams: boolean;
  json(): Promise<object>;
  events(): AsyncGenerator<string, void, void>;
}

/** What a reply has cost so far. */
export interface Usage {
  promptTokens: number;
  cachedTokens: number;
  answerTokens: number;
}

/** An endpoint. @param usage is filled in as the answer goes on */
export type Endpoint = (
  service: Service,
  body: Readonly<Record<string, unknown>>,
  signal: AbortSignal,
  usage: Usage,
) => Reply;

/** A piece of an answer, and the tokens that begin in it. */
export interface Piece {
  readonly text: string;
  readonly tokens: readonly AnswerToken[];
}

/**
 * An answer's pieces with their tokens.
 * @param start begins the answer, with the listeners among its options
 * @returns how it ended
 */
export async function* pieces(
  start: (listeners: Required<Pick<GenerateOptions, "onToken" | "onEnd">>) => AsyncGenerator<string, void, void>,
): AsyncGenerator<Piece, AnswerEnd, void> {
  let tokens: AnswerToken[] = [];
  let end: AnswerEnd | undefined;
  const listeners = {
    onToken: (token: AnswerToken) => void tokens.push(token),
    onEnd: (given: AnswerEnd) => {
      end = given;
    },
  };
  for await (const text of start(listeners)) {
    const piece = { text, tokens };
    tokens = [];
    yield piece;
  }
  if (tokens.length > 0) yield { text: "", tokens };
  return end!;
}

/** Adds an answer's tokens to the usage. @param first whether it is the first to its prompt */
export function count(usage: Usage, end: AnswerEnd, first: boolean): void {
  usage.answerTokens += end.answerTokens;
  if (!first) return;
  usage.promptTokens += end.promptTokens;
  usage.cachedTokens += end.cachedTokens;
}

/** The usage in the shape of chat and text completions. */
export function completionUsage({ promptTokens, cachedTokens, answerTokens }: Usage): object {
  return {
    prompt_tokens: promptTokens,
    completion_tokens: answerTokens,
    total_tokens: promptTokens + answerTokens,
    prompt_tokens_details: { cached_tokens: cachedTokens },
  };
}

/** How OpenAI calls the end of an answer. */
export function finishReason({ reason }: AnswerEnd): "stop" | "length" {
  return reason === "length" ? "length" : "stop";
}

/** A token's text, its bytes and its probability, in the shape of chat completions. */
export function tokenProbability({ tokenizer }: Model, { token, logProbability }: TokenProbability): object {
  const bytes = tokenizer.tokenBytes(token);
  return { token: tokenizer.decode([token]), logprob: logProbability, bytes: [...bytes] };
}

/** A name that no other reply has. */
export function replyId(prefix: string): string {
  return `${prefix}-${crypto.randomUUID().replaceAll("-", "")}`;
}

/** The time as OpenAI gives it: whole seconds since 1970. */
export function unixSeconds(): number {
  return Math.floor(Date.now() / 1000);
}
