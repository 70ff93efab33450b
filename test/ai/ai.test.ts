/** The AI SDK's own functions on a model of ours: text, streams, tools, aborts, usage, documents. */
import { generateText, jsonSchema, streamText, type ToolSet } from "ai";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { createLanguageModel } from "../../src/ai/index.ts";
import { findToolCalls } from "../../src/chat/tool-calls.ts";
import type { Message } from "../../src/index.ts";
import { loadModel } from "../../src/runtimes/node.ts";
import { chatModel } from "../support/chat-model.ts";

const test = suite("AI SDK");
const own = await loadModel(chatModel());
// What the decoder needs for whole batches stays with the model.
const warm = own.createSession();
warm.prefill(new Int32Array(256));
warm.dispose();
const settings = { maxOutputTokens: 12, temperature: 0 };
const system = "the man in the hat.";
const prompt = "in the an?";

async function expected(messages: Message[]): Promise<string> {
  const session = own.createSession();
  let text = "";
  for await (const piece of session.chat(messages, { maxTokens: 12, temperature: 0 })) text += piece;
  session.dispose();
  return text;
}

test("a text, its end and usage; a second turn finds the first in the cache", async () => {
  const model = createLanguageModel(own, { modelId: "drawn" });
  const first = await generateText({ model, instructions: system, prompt, ...settings });
  const messages: Message[] = [
    { role: "system", content: system },
    { role: "user", content: prompt },
  ];
  assert.is(first.text, await expected(messages));
  assert.is(first.finishReason, first.usage.outputTokens === 12 ? "length" : "stop");
  assert.is(first.usage.inputTokenDetails.cacheReadTokens, 0);
  const turns = [
    { role: "user" as const, content: prompt },
    { role: "assistant" as const, content: first.text },
    { role: "user" as const, content: "the?" },
  ];
  const second = await generateText({ model, instructions: system, messages: turns, ...settings });
  assert.is(second.text, await expected([messages[0]!, ...turns]));
  const read = second.usage.inputTokenDetails.cacheReadTokens!;
  assert.ok(read >= first.usage.inputTokens!);
  assert.is(second.providerMetadata?.siskin?.cachedTokens, read);
  model.dispose();
});

test("a stream gives the same in pieces", async () => {
  const model = createLanguageModel(own);
  const result = streamText({ model, instructions: system, prompt, ...settings });
  let text = "";
  for await (const piece of result.textStream) text += piece;
  const whole = await generateText({ model, instructions: system, prompt, ...settings });
  assert.is(text, whole.text);
  assert.is((await result.usage).outputTokens, whole.usage.outputTokens);
  model.dispose();
});

test("an abort ends the answer and frees its session", async () => {
  const model = createLanguageModel(own);
  const before = own.memory.bytesInUse;
  const controller = new AbortController();
  const stop = { abortSignal: controller.signal, maxOutputTokens: 200, maxRetries: 0 };
  const result = streamText({ model, prompt, ...stop });
  let aborted = false;
  for await (const part of result.fullStream) {
    if (part.type === "text-delta") controller.abort();
    aborted ||= part.type === "abort";
  }
  assert.ok(aborted);
  let refused: unknown;
  await generateText({ model, prompt, ...stop }).catch((error: unknown) => {
    refused = error;
  });
  assert.is((refused as Error).name, "AbortError");
  assert.is(own.memory.bytesInUse, before);
  model.dispose();
});

test("what is not supported is told in warnings", async () => {
  const model = createLanguageModel(own);
  const tools: ToolSet = {
    weather: {
      description: "the weather",
      inputSchema: jsonSchema({ type: "object", properties: {} }),
    },
  };
  const { warnings } = await generateText({ model, prompt, tools, ...settings });
  const features = (warnings ?? []).map((warning) => (warning.type === "unsupported" ? warning.feature : warning.type));
  assert.equal(features, ["tools"]);
  model.dispose();
});

test("a document is read once and answered from, whatever the order", async () => {
  const model = createLanguageModel(own);
  const document = {
    text: "the man in the hat and the tan ".repeat(20),
    questions: ["in?"],
    budget: 40,
    chunkLength: 64,
  };
  const session = own.createSession();
  const { text, ...reading } = document;
  await session.read(text, reading);
  const providerOptions = { siskin: { document } };
  for (const question of ["in?", "the hat?"]) {
    let answer = "";
    for await (const piece of session.ask(question, { maxTokens: 12 })) answer += piece;
    const given = await generateText({ model, prompt: question, providerOptions, ...settings });
    assert.is(given.text, answer);
    assert.ok(given.usage.inputTokens! < 40);
  }
  session.dispose();
  for (const wrong of [{ siskin: { documents: [] } }, { siskin: { document: {} } }]) {
    let refused: unknown;
    const call = { model, prompt: "in?", providerOptions: wrong, maxRetries: 0 };
    await generateText(call).catch((error: unknown) => {
      refused = error;
    });
    assert.match((refused as Error).message, /provider option/);
  }
  model.dispose();
});

test("calls of tools are found in an answer", () => {
  const answer = 'I look. <tool_call>\n{"name": "weather", "arguments": {"city": "Wien", "a": {"b": 1}}}\n</tool_call>';
  const { text, calls } = findToolCalls(answer);
  assert.is(text, "I look.");
  assert.equal(
    calls.map(({ name, input }) => [name, JSON.parse(input)]),
    [["weather", { city: "Wien", a: { b: 1 } }]],
  );
  const two = findToolCalls('<tool_call>{"name":"a"}</tool_call><tool_call>{"name":"b","arguments":"{}"}</tool_call>');
  assert.equal(
    two.calls.map(({ name, input }) => [name, input]),
    [
      ["a", "{}"],
      ["b", "{}"],
    ],
  );
  for (const other of ["plain", "<tool_call>{no}</tool_call>", '<tool_call>{"x":1}</tool_call>', "<tool_call>"]) {
    assert.equal(findToolCalls(other), { text: other, calls: [] });
  }
});

test("the end", () => {
  own.dispose();
});

test.run();
