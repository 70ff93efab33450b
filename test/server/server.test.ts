/** The server through OpenAI's own client: answers, streams, usage, refusals, aborts. */
import OpenAI, { APIUserAbortError, BadRequestError, NotFoundError } from "openai";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Message } from "../../src/index.ts";
import { loadModel } from "../../src/runtimes/node.ts";
import { createHandler, type RequestEntry, type ServerOptions } from "../../src/server/index.ts";
import { chatModel } from "../support/chat-model.ts";

const test = suite("server");
const model = await loadModel(chatModel());
// What the decoder needs for whole batches stays with the model.
const warm = model.createSession();
warm.prefill(new Int32Array(256));
warm.dispose();
// The end token is never drawn, so that answers are as long as is asked for.
const noEnd = { [String(model.tokenizer.eosTokens[0])]: -100 };
const entries: RequestEntry[] = [];
const name = "drawn";

function serve(options: ServerOptions = {}) {
  const handler = createHandler(model, { modelName: name, onRequest: (entry) => entries.push(entry), ...options });
  const fetch = async (url: string | URL | Request, init?: RequestInit) => {
    const response = await handler.fetch(new Request(url, init));
    // As over a network, where nothing comes after an abort.
    init?.signal?.throwIfAborted();
    return response;
  };
  const client = new OpenAI({ baseURL: "http://localhost:9/v1", apiKey: "key", maxRetries: 0, fetch });
  const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
    fetch(`http://localhost:9${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  return { handler, client, fetch, post };
}

/** The answer of a session of its own. */
async function expected(messages: Message[], maxTokens: number, seed?: number): Promise<string> {
  const session = model.createSession();
  const drawing = seed === undefined ? {} : { temperature: 1.5, seed };
  const bias = { [model.tokenizer.eosTokens[0]!]: -100 };
  let text = "";
  for await (const piece of session.chat(messages, { maxTokens, logitBias: bias, ...drawing })) text += piece;
  session.dispose();
  return text;
}

const question: Message[] = [
  { role: "system", content: "the man in the hat." },
  { role: "user", content: "in the an?" },
];
const asked = { model: name, messages: question as OpenAI.ChatCompletionMessageParam[], logit_bias: noEnd };

async function refused(call: () => PromiseLike<unknown>): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error("The call was not refused");
}

test("models", async () => {
  const { client } = serve();
  const list = await client.models.list();
  assert.equal(
    list.data.map(({ id }) => id),
    [name],
  );
  assert.is((await client.models.retrieve(name)).id, name);
  assert.instance(await refused(() => client.models.retrieve("other")), NotFoundError);
});

test("a chat: the answer of a session, its usage, and what a second turn finds in the cache", async () => {
  const { client, handler } = serve();
  const first = await client.chat.completions.create({ ...asked, max_tokens: 12 });
  const text = await expected(question, 12);
  assert.is(first.choices[0]!.message.content, text);
  assert.is(first.choices[0]!.finish_reason, "length");
  assert.is(first.usage!.completion_tokens, 12);
  assert.is(first.usage!.prompt_tokens_details!.cached_tokens, 0);
  const more: Message[] = [...question, { role: "assistant", content: text }, { role: "user", content: "the?" }];
  const messages = more as OpenAI.ChatCompletionMessageParam[];
  const second = await client.chat.completions.create({ ...asked, messages, max_tokens: 12 });
  assert.is(second.choices[0]!.message.content, await expected(more, 12));
  assert.ok(second.usage!.prompt_tokens_details!.cached_tokens! >= first.usage!.prompt_tokens);
  // Another client's conversation with the same system text shares that.
  const other: Message[] = [question[0]!, { role: "user", content: "hat" }];
  const third = await client.chat.completions.create({
    ...asked,
    messages: other as OpenAI.ChatCompletionMessageParam[],
    max_tokens: 12,
  });
  assert.is(third.choices[0]!.message.content, await expected(other, 12));
  assert.ok(third.usage!.prompt_tokens_details!.cached_tokens! > 10);
  await handler.close();
});

test("a stream is the same answer in pieces, with usage at its end", async () => {
  const { client, handler } = serve();
  const stream = await client.chat.completions.create({
    ...asked,
    max_completion_tokens: 12,
    stream: true,
    stream_options: { include_usage: true },
    logprobs: true,
    top_logprobs: 2,
  });
  let text = "";
  let usage: OpenAI.CompletionUsage | null | undefined;
  let finish: string | null = null;
  let tokens = 0;
  for await (const chunk of stream) {
    usage = chunk.usage ?? usage;
    const [choice] = chunk.choices;
    if (!choice) continue;
    text += choice.delta.content ?? "";
    finish = choice.finish_reason ?? finish;
    for (const { logprob, top_logprobs } of choice.logprobs?.content ?? []) {
      tokens++;
      assert.ok(logprob <= 0 && top_logprobs.length === 2 && top_logprobs[0]!.logprob >= top_logprobs[1]!.logprob);
    }
  }
  assert.is(text, await expected(question, 12));
  assert.is(finish, "length");
  assert.is(usage!.completion_tokens, 12);
  assert.is(tokens, 12);
  await handler.close();
});

test("several answers, seeds and stops", async () => {
  const { client, handler } = serve();
  const drawn = { ...asked, temperature: 1.5, seed: 7, n: 3, max_tokens: 8 };
  const { choices, usage } = await client.chat.completions.create(drawn);
  const single = [await expected(question, 8, 7), await expected(question, 8, 8), await expected(question, 8, 9)];
  assert.equal(
    choices.map(({ message }) => message.content),
    single,
  );
  assert.is(usage!.completion_tokens, 24);
  const whole = await expected(question, 12);
  const stop = whole.slice(4, 7);
  const stopped = await client.chat.completions.create({ ...asked, stop, max_tokens: 12 });
  assert.is(stopped.choices[0]!.message.content, whole.slice(0, whole.indexOf(stop)));
  assert.is(stopped.choices[0]!.finish_reason, "stop");
  const ended = await client.chat.completions.create({ ...asked, logit_bias: { [Object.keys(noEnd)[0]!]: 100 } });
  assert.equal([ended.choices[0]!.message.content, ended.choices[0]!.finish_reason], ["", "stop"]);
  await handler.close();
});

test("completions: texts and tokens, several at once, streamed", async () => {
  const { client, handler } = serve();
  const session = model.createSession();
  let text = "";
  const bias = { [model.tokenizer.eosTokens[0]!]: -100 };
  for await (const piece of session.generate("the man", { maxTokens: 9, logitBias: bias })) text += piece;
  session.dispose();
  const body = { model: name, logit_bias: noEnd, max_tokens: 9 };
  const one = await client.completions.create({ ...body, prompt: "the man", logprobs: 2 });
  assert.is(one.choices[0]!.text, text);
  assert.is(one.choices[0]!.logprobs!.tokens!.length, 9);
  const tokens = [...model.tokenizer.documentStart, ...model.tokenizer.encode("the man")];
  const two = await client.completions.create({ ...body, prompt: [tokens, tokens] });
  assert.equal(
    two.choices.map((choice) => choice.text),
    [text, text],
  );
  assert.is(two.usage!.prompt_tokens, 2 * tokens.length);
  let streamed = "";
  for await (const chunk of await client.completions.create({ ...body, prompt: "the man", stream: true })) {
    streamed += chunk.choices[0]?.text ?? "";
  }
  assert.is(streamed, text);
  await handler.close();
});

test("responses: an answer, and its events", async () => {
  const { client, handler } = serve();
  const input = [{ role: "user" as const, content: "in the an?" }];
  // Their end cannot be forbidden by a bias here: a temperature of 0 takes what comes.
  const session = model.createSession();
  let text = "";
  for await (const piece of session.chat(question, { maxTokens: 16 })) text += piece;
  session.dispose();
  const body = { model: name, instructions: question[0]!.content as string, input, max_output_tokens: 16 };
  const whole = await client.responses.create(body);
  assert.is(whole.output_text, text);
  let streamed = "";
  let last = "";
  for await (const event of await client.responses.create({ ...body, stream: true })) {
    if (event.type === "response.output_text.delta") streamed += event.delta;
    last = event.type;
  }
  assert.is(streamed, text);
  assert.ok(/^response\.(completed|incomplete)$/.test(last));
  await handler.close();
});

test("what is not supported is refused by name", async () => {
  const { client, post } = serve();
  const wrong: [string | null, object][] = [
    ["response_format", { response_format: { type: "json_object" } }],
    ["tools", { tools: [{ type: "function", function: { name: "f" } }] }],
    ["tool_choice", { tool_choice: "required" }],
    ["max_token", { max_token: 3 }],
    ["audio", { audio: {} }],
    ["temperature", { temperature: "hot" }],
    ["n", { n: 0 }],
    ["stop", { stop: [3] }],
    ["top_logprobs", { top_logprobs: 2 }],
    ["stream_options", { stream_options: { include_usage: true } }],
    ["messages", { messages: [] }],
    ["messages[0].role", { messages: [{ role: "king", content: "" }] }],
    ["messages[0].content[0]", { messages: [{ role: "user", content: [{ type: "image_url" }] }] }],
    [null, { temperature: -1 }],
    [null, { logit_bias: { 99999: 1 } }],
  ];
  for (const [param, change] of wrong) {
    const body = { ...asked, ...change } as OpenAI.ChatCompletionCreateParamsNonStreaming;
    const error = await refused(() => client.chat.completions.create(body));
    assert.instance(error, BadRequestError, JSON.stringify(change));
    assert.is((error as BadRequestError).param, param, JSON.stringify(change));
    const streamed = await post("/v1/chat/completions", { ...body, stream: param !== "stream_options" });
    assert.is(streamed.status, 400);
  }
  const missing = await refused(() => client.chat.completions.create({ ...asked, model: "other" }));
  assert.instance(missing, NotFoundError);
  assert.is((missing as NotFoundError).code, "model_not_found");
  const stored = await refused(() => client.responses.create({ model: name, input: "a", previous_response_id: "x" }));
  assert.is((stored as BadRequestError).param, "previous_response_id");
});

test("who goes away frees the session at once", async () => {
  const { client, handler } = serve();
  const before = model.memory.bytesInUse;
  entries.length = 0;
  const controller = new AbortController();
  const long = { ...asked, max_tokens: 200, stream: true as const };
  const stream = await client.chat.completions.create(long, { signal: controller.signal });
  let chunks = 0;
  for await (const _ of stream) if (++chunks === 3) break;
  controller.abort();
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.is(model.memory.bytesInUse, before);
  assert.equal(
    entries.map(({ status }) => status),
    [499],
  );
  const early = new AbortController();
  const waiting = client.chat.completions.create({ ...asked, max_tokens: 4000 }, { signal: early.signal });
  setTimeout(() => early.abort(), 5);
  assert.instance(await refused(() => waiting), APIUserAbortError);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.is(model.memory.bytesInUse, before);
  await handler.close();
});

test("a reader that stalls loses its answer", async () => {
  const { post, handler } = serve({ stallMilliseconds: 30 });
  const before = model.memory.bytesInUse;
  entries.length = 0;
  const response = await post("/v1/chat/completions", { ...asked, max_tokens: 200, stream: true });
  await new Promise((resolve) => setTimeout(resolve, 200));
  assert.is(entries[0]?.status, 499);
  assert.is(model.memory.bytesInUse, before);
  const gone = await refused(() => response.text());
  assert.instance(gone, Error);
  await handler.close();
});

test("tools that the template has, and calls in the answer", async () => {
  const template =
    "<|begin|>{% if tools %}<tool_call>{% endif %}{% for m in messages %}<|user|>{{ m.content }}{% endfor %}<|model|>";
  const own = await loadModel(chatModel(5, template));
  const handler = createHandler(own, { modelName: name });
  const fetch = (url: string | URL | Request, init?: RequestInit) => handler.fetch(new Request(url, init));
  const client = new OpenAI({ baseURL: "http://localhost:9/v1", apiKey: "key", maxRetries: 0, fetch });
  const tools = [{ type: "function" as const, function: { name: "weather", parameters: { type: "object" } } }];
  const { choices } = await client.chat.completions.create({ ...asked, tools, max_tokens: 8 });
  assert.is(choices[0]!.message.tool_calls, undefined);
  assert.type(choices[0]!.message.content, "string");
  await handler.close();
  own.dispose();
});

test("200 clients at once, a tenth of whom go away: every answer is its own, and nothing is left", async () => {
  const { client, handler } = serve({ maxWaiting: 200, maxPrefixBytes: 2 ** 20 });
  const bytes = model.memory.bytesInUse;
  const answers = new Map<number, string>();
  for (let kind = 0; kind < 5; kind++) answers.set(kind, await expected(messagesOf(kind), 4 + kind));
  const calls = Array.from({ length: 200 }, async (_, index) => {
    const kind = index % 5;
    const messages = messagesOf(kind) as OpenAI.ChatCompletionMessageParam[];
    const controller = new AbortController();
    const body = { ...asked, messages, max_tokens: 4 + kind, stream: true as const };
    try {
      const stream = await client.chat.completions.create(body, { signal: controller.signal });
      let text = "";
      for await (const chunk of stream) {
        text += chunk.choices[0]?.delta.content ?? "";
        if (index % 10 === 3) controller.abort();
      }
      if (index % 10 !== 3) assert.is(text, answers.get(kind));
    } catch (error) {
      if (index % 10 !== 3) throw error;
    }
  });
  await Promise.all(calls);
  await handler.close();
  assert.is(model.memory.bytesInUse, bytes);
});

function messagesOf(kind: number): Message[] {
  return [...question, { role: "assistant", content: "an" }, { role: "user", content: "the ".repeat(kind + 1) }];
}

test.run();
