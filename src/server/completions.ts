/** POST /v1/completions: a text that goes on, without a template. */
import type { AnswerToken, GenerateOptions, TokenProbability } from "../index.ts";
import { badParameter } from "./errors.ts";
import { event } from "./events.ts";
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
  pieces,
  replyId,
  type Service,
  type Usage,
  unixSeconds,
} from "./service.ts";

const known = ["model", "prompt", "max_tokens", "stop", "logit_bias", "logprobs", "n", "stream", "stream_options"];
const LONGEST_ANSWER = 1_000_000;
const MOST_PROMPTS = 64;
const MOST_ALTERNATIVES = 5;
/** OpenAI's. */
const DEFAULT_LENGTH = 16;

type Prompt = string | readonly number[];

interface Part {
  readonly index: number;
  readonly text: string;
  readonly tokens: readonly AnswerToken[];
  readonly finish: "stop" | "length" | null;
}

export const completions: Endpoint = (service, body, signal, usage) => {
  checkParameters(body, known, { echo: false, suffix: "", best_of: 1 });
  const prompts = readPrompts(body.prompt);
  const alternatives = wholeNumber(body, "logprobs", 0, MOST_ALTERNATIVES);
  const options: GenerateOptions = {
    ...samplingOptions(body),
    maxTokens: wholeNumber(body, "max_tokens", 1, LONGEST_ANSWER) ?? DEFAULT_LENGTH,
    logProbabilities: alternatives,
    signal,
  };
  const n = answerCount(body);
  const withUsage = includesUsage(body);
  const about = { id: replyId("cmpl"), object: "text_completion", created: unixSeconds(), model: service.name };
  const choice = ({ index, text, tokens, finish }: Part, offset: number) => ({
    index,
    text,
    logprobs: alternatives === undefined ? null : toldTokens(service, tokens, offset),
    finish_reason: finish,
  });
  const parts = () => answers(service, prompts, options, n, usage);
  return {
    streams: flag(body, "stream"),
    async json() {
      const choices: { text: string; tokens: AnswerToken[]; finish: Part["finish"] }[] = [];
      for await (const { index, text, tokens, finish } of parts()) {
        choices[index] ??= { text: "", tokens: [], finish: null };
        choices[index].text += text;
        choices[index].tokens.push(...tokens);
        choices[index].finish = finish;
      }
      const told = choices.map((each, index) => choice({ ...each, index }, 0));
      return { ...about, choices: told, usage: completionUsage(usage) };
    },
    async *events() {
      const offsets = new Map<number, number>();
      for await (const part of parts()) {
        const offset = offsets.get(part.index) ?? 0;
        offsets.set(part.index, offset + part.text.length);
        yield event({ ...about, choices: [choice(part, offset)], ...(withUsage ? { usage: null } : {}) });
      }
      if (withUsage) yield event({ ...about, choices: [], usage: completionUsage(usage) });
      yield event("[DONE]");
    },
  };
};

async function* answers(
  { model }: Service,
  prompts: readonly Prompt[],
  options: GenerateOptions,
  n: number,
  usage: Usage,
): AsyncGenerator<Part, void, void> {
  for (const [place, prompt] of prompts.entries()) {
    for (let each = 0; each < n; each++) {
      const index = place * n + each;
      const session = model.createSession();
      try {
        // Tokens are read as they are, a text as `generate` reads it.
        const text = typeof prompt === "string" ? prompt : "";
        if (typeof prompt !== "string") session.prefill(prompt);
        const seed = (options.seed ?? 0) + each;
        const answer = pieces((listeners) => session.generate(text, { ...options, seed, ...listeners }));
        try {
          for (let next = await answer.next(); ; next = await answer.next()) {
            if (next.done) {
              const read = typeof prompt === "string" ? next.value.promptTokens : prompt.length;
              count(usage, { ...next.value, promptTokens: read }, each === 0);
              yield { index, text: "", tokens: [], finish: finishReason(next.value) };
              break;
            }
            yield { index, ...next.value, finish: null };
          }
        } finally {
          await answer.return(undefined as never);
        }
      } finally {
        session.dispose();
      }
    }
  }
}

/** @throws HttpError 400 */
function readPrompts(given: unknown): readonly Prompt[] {
  const isTokens = (value: unknown): value is number[] =>
    Array.isArray(value) && value.length > 0 && value.every((token) => Number.isInteger(token));
  const isPrompt = (value: unknown): value is Prompt => (typeof value === "string" && value !== "") || isTokens(value);
  if (isPrompt(given)) return [given];
  if (Array.isArray(given) && given.length > 0 && given.length <= MOST_PROMPTS && given.every(isPrompt)) return given;
  throw badParameter("prompt", `prompt should be a text, its tokens, or up to ${MOST_PROMPTS} of either`);
}

/** Probabilities in the shape of text completions. @param offset characters of the answer before these tokens */
function toldTokens({ model: { tokenizer } }: Service, tokens: readonly AnswerToken[], offset: number): Body {
  const text = ({ token }: { token: number }) => tokenizer.decode([token]);
  let at = offset;
  return {
    tokens: tokens.map(text),
    token_logprobs: tokens.map(({ logProbability }) => logProbability),
    top_logprobs: tokens.map(({ alternatives = [] }) =>
      Object.fromEntries(alternatives.map((other: TokenProbability) => [text(other), other.logProbability])),
    ),
    text_offset: tokens.map((token) => {
      const start = at;
      at += text(token).length;
      return start;
    }),
  };
}
