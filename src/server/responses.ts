/** POST /v1/responses, as far as it maps to a conversation without a store. */
import type { Message } from "../index.ts";
import { answers } from "./chat-completions.ts";
import { badParameter } from "./errors.ts";
import { event } from "./events.ts";
import { readMessages } from "./messages.ts";
import { type Body, checkParameters, flag, samplingOptions, wholeNumber } from "./parameters.ts";
import { type Endpoint, replyId, type Usage, unixSeconds } from "./service.ts";

const known = ["model", "input", "instructions", "max_output_tokens", "stream"];
const LONGEST_ANSWER = 1_000_000;

export const responses: Endpoint = (service, body, signal, usage) => {
  checkParameters(body, known, {
    tools: [],
    tool_choice: "auto",
    text: { format: { type: "text" } },
    truncation: "disabled",
    background: false,
    include: [],
    stream_options: {},
  });
  const turn = {
    messages: readInput(body),
    tools: undefined,
    n: 1,
    options: {
      ...samplingOptions(body),
      maxTokens: wholeNumber(body, "max_output_tokens", 1, LONGEST_ANSWER) ?? service.maxTokens,
      signal,
    },
  };
  const id = replyId("resp");
  const created = unixSeconds();
  const itemId = replyId("msg");
  const part = (text: string) => ({ type: "output_text", text, annotations: [], logprobs: [] });
  const item = (status: string, content: object[]) => ({
    id: itemId,
    type: "message",
    role: "assistant",
    status,
    content,
  });
  const response = (status: string, output: object[], more: object = {}) => ({
    id,
    object: "response",
    created_at: created,
    status,
    error: null,
    incomplete_details: null,
    instructions: body.instructions ?? null,
    max_output_tokens: body.max_output_tokens ?? null,
    model: service.name,
    output,
    parallel_tool_calls: false,
    temperature: body.temperature ?? null,
    top_p: body.top_p ?? null,
    tool_choice: "auto",
    tools: [],
    usage: null,
    ...more,
  });
  const finished = (text: string, finish: string | undefined) => {
    const status = finish === "length" ? "incomplete" : "completed";
    const details = finish === "length" ? { reason: "max_output_tokens" } : null;
    return response(status, [item(status, [part(text)])], { incomplete_details: details, usage: responseUsage(usage) });
  };
  return {
    streams: flag(body, "stream"),
    async json() {
      let text = "";
      let finish: string | undefined;
      for await (const each of answers(service, turn, usage)) {
        text += each.text;
        finish = each.finish;
      }
      return finished(text, finish);
    },
    async *events() {
      let sequence = 0;
      const send = (type: string, data: object) => event({ type, sequence_number: sequence++, ...data }, type);
      const place = { item_id: itemId, output_index: 0, content_index: 0 };
      let text = "";
      let finish: string | undefined;
      for await (const each of answers(service, turn, usage)) {
        if (sequence === 0) {
          yield send("response.created", { response: response("in_progress", []) });
          yield send("response.in_progress", { response: response("in_progress", []) });
          yield send("response.output_item.added", { output_index: 0, item: item("in_progress", []) });
          yield send("response.content_part.added", { ...place, part: part("") });
        }
        text += each.text;
        finish = each.finish;
        if (each.text) yield send("response.output_text.delta", { ...place, delta: each.text, logprobs: [] });
      }
      const whole = finished(text, finish);
      const type = whole.status === "completed" ? "response.completed" : "response.incomplete";
      yield send("response.output_text.done", { ...place, text, logprobs: [] });
      yield send("response.content_part.done", { ...place, part: part(text) });
      yield send("response.output_item.done", { output_index: 0, item: item(whole.status, [part(text)]) });
      yield send(type, { response: whole });
    },
  };
};

function readInput(body: Body): Message[] {
  const { input, instructions } = body;
  const system = instructions ?? undefined;
  if (system !== undefined && typeof system !== "string")
    throw badParameter("instructions", "instructions should be a text");
  const before: Message[] = system === undefined ? [] : [{ role: "system", content: system }];
  if (typeof input === "string") return [...before, { role: "user", content: input }];
  if (Array.isArray(input)) {
    for (const [index, item] of input.entries()) {
      const type = (item as { type?: unknown } | null)?.type ?? "message";
      if (type !== "message")
        throw badParameter(`input[${index}]`, `input[${index}] of type ${String(type)} is not supported`);
    }
  }
  return [...before, ...readMessages(input, "input")];
}

function responseUsage({ promptTokens, cachedTokens, answerTokens }: Usage): object {
  return {
    input_tokens: promptTokens,
    input_tokens_details: { cached_tokens: cachedTokens },
    output_tokens: answerTokens,
    output_tokens_details: { reasoning_tokens: 0 },
    total_tokens: promptTokens + answerTokens,
  };
}
