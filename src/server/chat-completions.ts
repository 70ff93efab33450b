/** POST /v1/chat/completions. */
import { findToolCalls, type ToolCall } from "../chat/tool-calls.ts";
import type { AnswerToken, ChatOptions, Message } from "../index.ts";
import { badParameter } from "./errors.ts";
import { event } from "./events.ts";
import { readMessages } from "./messages.ts";
import {
  answerCount,
  type Body,
  checkParameters,
  flag,
  includesUsage,
  samplingOptions,
  wholeNumber,
} from "./parameters.ts";
import {
  completionUsage,
  count,
  type Endpoint,
  finishReason,
  type Piece,
  pieces,
  replyId,
  type Service,
  tokenProbability,
  type Usage,
  unixSeconds,
} from "./service.ts";
import { callBody, readTools } from "./tools.ts";

const known = [
  "model",
  "messages",
  "max_tokens",
  "max_completion_tokens",
  "stop",
  "logit_bias",
  "logprobs",
  "top_logprobs",
  "n",
  "stream",
  "stream_options",
  "tools",
  "tool_choice",
];
const LONGEST_ANSWER = 1_000_000;
const MOST_ALTERNATIVES = 20;

interface Turn {
  readonly messages: readonly Message[];
  readonly tools: readonly object[] | undefined;
  readonly options: ChatOptions;
  readonly n: number;
}

/** One of the answers, as far as it has come. */
interface Part {
  readonly index: number;
  readonly text: string;
  readonly tokens: readonly AnswerToken[];
  readonly calls?: readonly ToolCall[];
  readonly finish?: "stop" | "length" | "tool_calls";
}

export const chatCompletions: Endpoint = (service, body, signal, usage) => {
  checkParameters(body, known, { response_format: { type: "text" }, modalities: ["text"] });
  const turn = readTurn(service, body, signal);
  const withUsage = includesUsage(body);
  const told = flag(body, "logprobs");
  const about = { id: replyId("chatcmpl"), created: unixSeconds(), model: service.name };
  const logprobs = (tokens: readonly AnswerToken[]) =>
    told ? { content: tokens.map((token) => toldToken(service, token)) } : null;
  return {
    streams: flag(body, "stream"),
    async json() {
      const choices: { index: number; text: string; tokens: AnswerToken[]; last?: Part }[] = [];
      for await (const part of answers(service, turn, usage)) {
        choices[part.index] ??= { index: part.index, text: "", tokens: [] };
        const choice = choices[part.index]!;
        choice.text += part.text;
        choice.tokens.push(...part.tokens);
        choice.last = part;
      }
      return {
        ...about,
        object: "chat.completion",
        choices: choices.map(({ index, text, tokens, last }) => {
          const calls = last?.calls?.length ? { tool_calls: last.calls.map(callBody) } : {};
          const content = last?.calls?.length && text === "" ? null : text;
          const message = { role: "assistant", content, refusal: null, ...calls };
          return { index, message, logprobs: logprobs(tokens), finish_reason: last?.finish };
        }),
        usage: completionUsage(usage),
      };
    },
    async *events() {
      const chunk = (choices: object[], more: object = {}) =>
        event({ ...about, object: "chat.completion.chunk", choices, ...(withUsage ? { usage: null } : {}), ...more });
      const begun = new Set<number>();
      for await (const { index, text, tokens, calls, finish } of answers(service, turn, usage)) {
        const delta = (content: object, reason: string | null = null, probabilities: object | null = null) =>
          chunk([{ index, delta: content, logprobs: probabilities, finish_reason: reason }]);
        if (!begun.has(index)) {
          begun.add(index);
          yield delta({ role: "assistant", content: "" });
        }
        if (text || (told && tokens.length > 0)) yield delta({ content: text }, null, logprobs(tokens));
        for (const [place, call] of (calls ?? []).entries())
          yield delta({ tool_calls: [{ index: place, ...callBody(call) }] });
        if (finish) yield delta({}, finish);
      }
      if (withUsage) yield chunk([], { usage: completionUsage(usage) });
      yield event("[DONE]");
    },
  };
};

function readTurn({ model, maxTokens }: Service, body: Body, signal: AbortSignal): Turn {
  const messages = readMessages(body.messages);
  const alternatives = wholeNumber(body, "top_logprobs", 0, MOST_ALTERNATIVES);
  if (alternatives !== undefined && !flag(body, "logprobs")) {
    throw badParameter("top_logprobs", "top_logprobs needs logprobs to be true");
  }
  const most = (name: string) => wholeNumber(body, name, 1, LONGEST_ANSWER);
  const tools = readTools(body, model, messages);
  return {
    messages,
    tools,
    n: answerCount(body),
    options: {
      ...samplingOptions(body),
      maxTokens: most("max_completion_tokens") ?? most("max_tokens") ?? maxTokens,
      logProbabilities: flag(body, "logprobs") ? (alternatives ?? 0) : undefined,
      tools,
      signal,
    },
  };
}

/** The answers one after another, in a session that reads the conversation once. */
export async function* answers(service: Service, turn: Turn, usage: Usage): AsyncGenerator<Part, void, void> {
  const { messages, tools, options, n } = turn;
  const { prefixes } = service;
  const session = prefixes.take(messages, tools);
  let kept = false;
  try {
    for (let index = 0; index < n; index++) {
      const each = { ...options, seed: (options.seed ?? 0) + index };
      const answer = pieces((listeners) => session.chat(messages, { ...each, ...listeners }));
      const text = yield* parts(answer, index, tools !== undefined, usage);
      if (index < n - 1) continue;
      prefixes.keep(session, [...messages, { role: "assistant", content: text }], tools);
      kept = true;
    }
  } finally {
    if (!kept) session.dispose();
  }
}

/** One answer; where it may call tools it comes as a whole. @returns its text */
async function* parts(
  answer: ReturnType<typeof pieces>,
  index: number,
  mayCall: boolean,
  usage: Usage,
): AsyncGenerator<Part, string, void> {
  let whole = "";
  const held: AnswerToken[] = [];
  try {
    for (let next = await answer.next(); ; next = await answer.next()) {
      if (next.done) {
        count(usage, next.value, index === 0);
        const finish = finishReason(next.value);
        if (!mayCall) yield { index, text: "", tokens: [], finish };
        else {
          const { text, calls } = findToolCalls(whole);
          yield { index, text, tokens: held, calls, finish: calls.length > 0 ? "tool_calls" : finish };
        }
        return whole;
      }
      const piece: Piece = next.value;
      whole += piece.text;
      if (mayCall) held.push(...piece.tokens);
      else yield { index, ...piece };
    }
  } finally {
    // Where the reader is gone the session is free at once.
    await answer.return(undefined as never);
  }
}

function toldToken({ model }: Service, token: AnswerToken): object {
  const told = { token: token.token, logProbability: token.logProbability! };
  const top = (token.alternatives ?? []).map((other) => tokenProbability(model, other));
  return { ...tokenProbability(model, told), top_logprobs: top };
}
