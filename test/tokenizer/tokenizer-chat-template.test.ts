/** Chat templates: what they are given, which of several is taken, and what is no conversation. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, FormatError, type SiskinError } from "../../src/errors.ts";
import { ChatTemplate, type Message, type RenderOptions } from "../../src/tokenizer/chat-template.ts";
import { nano } from "./support.ts";

const tokens = { bos_token: "<s>", eos_token: "</s>" };
const template = (source: unknown) => new ChatTemplate(new Map([["default", source]]), tokens, "broken.json");
const user = (content: unknown): Message => ({ role: "user", content }) as Message;
const render = (source: string, options: RenderOptions = {}, content: unknown = "hello") =>
  template(source).render([user(content)], options);
const isFormatError = (error: unknown) => error instanceof FormatError && error.file === "broken.json";
const isArgumentError = (error: unknown) => error instanceof ArgumentError;

test("variables", () => {
  assert.is(render("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"), "<s>hello</s>");
  assert.is(render("{{ add_generation_prompt }}"), "False");
  assert.is(render("{{ add_generation_prompt }}", { addGenerationPrompt: true }), "True");
  // As apply_chat_template has it: what is not given is none, a token that the model has not is undefined.
  assert.is(render("{{ tools is none }}{{ documents is none }}{{ pad_token is defined }}"), "TrueTrueFalse");
  assert.is(render("{{ tools|tojson }}", { tools: [{ name: "f", n: 1.5 }] }), '[{"name": "f", "n": 1.5}]');
  assert.is(render("{{ documents[0].text }}", { documents: [{ text: "x" }] }), "x");
  assert.is(render("{{ enable_thinking }}{{ other is defined }}", { enable_thinking: false }), "FalseFalse");
  assert.is(render("{{ bos_token }}", { bos_token: "<b>" }), "<b>");
  assert.match(render("{{ strftime_now('%Y-%m-%d') }}"), /^20\d\d-\d\d-\d\d$/);
});

test("messages as they are handed on", () => {
  const written = (message: Message) => template("{{ messages[0] }}").render([message]);
  assert.is(written({ role: "user", content: null, name: "x" }), "{'role': 'user', 'name': 'x'}");
  assert.is(
    written({ role: "assistant", content: "a", reasoning: "because" }),
    "{'thinking': 'because', 'role': 'assistant', 'content': 'a', 'reasoning': 'because', 'reasoning_content': 'because'}",
  );
  assert.is(
    written({ role: "user", content: [{ type: "image", image: new Uint8Array(3) }] }),
    "{'role': 'user', 'content': [{'type': 'image', 'image': '<Uint8Array>'}]}",
  );
  const numbers = { a: 2, b: 2.5, c: -0, d: 5n, e: 1e300, f: Number.NaN, g: undefined, h: new Map([["2", 1]]) };
  assert.is(
    render("{{ x }}", { x: numbers }),
    "{'a': 2, 'b': 2.5, 'c': -0.0, 'd': 5, 'e': 1e+300, 'f': nan, 'h': {'2': 1}}",
  );
});

test("one of several templates", () => {
  const sources = { default: "d", tool_use: "t", rag: "r" };
  const several = new ChatTemplate(new Map(Object.entries(sources)), tokens, "broken.json");
  const messages = [user("x")];
  assert.equal(several.names, ["default", "tool_use", "rag"]);
  assert.is(several.render(messages), "d");
  assert.is(several.render(messages, { tools: [] }), "t");
  assert.is(several.render(messages, { template: "rag", tools: [] }), "r");
  assert.throws(
    () => several.render(messages, { template: "rug" }),
    /no template "rug", only "default", "tool_use", "rag"/,
  );
  const without = new ChatTemplate(new Map([["rag", "r"]]), tokens, "broken.json");
  assert.throws(() => without.render(messages), isFormatError);
  assert.is(without.render(messages, { template: "rag" }), "r");
  for (const source of [5, null, {}, []]) assert.throws(() => template(source).render(messages), isFormatError);
});

test("a template's own refusal", () => {
  const chat = nano().chatTemplate!;
  assert.throws(
    () => chat.render([{ role: "tool", content: "x" }]),
    (error: unknown) => error instanceof ArgumentError && error.message === "Unknown role: tool",
  );
});

test("what is no conversation", () => {
  const any = template("x{{ messages }}");
  const cyclic: Record<string, unknown> = { role: "user" };
  cyclic.content = [cyclic];
  let deep: unknown = [];
  for (let level = 0; level < 5000; level++) deep = [deep];
  let shared: unknown = [];
  for (let level = 0; level < 60; level++) shared = [shared, shared];
  const bad: unknown[] = [
    undefined,
    null,
    "hi",
    {},
    [],
    [5],
    [null],
    ["x"],
    [[]],
    [cyclic],
    [user(deep)],
    [user(shared)],
  ];
  bad.push([user(() => 1)], [user(Symbol("x"))], [user(new Map([[1, 2]]))], [user(2n ** 60n)], new Array(1e9));
  for (const messages of bad) assert.throws(() => any.render(messages as Message[]), isArgumentError);
  for (const options of [{ tools: 5 }, { tools: [5] }, { documents: {} }, { documents: ["x"] }, { x: cyclic }])
    assert.throws(() => any.render([user("x")], options as unknown as RenderOptions), isArgumentError);
  for (const name of ["messages", "add_generation_prompt"])
    assert.throws(() => any.render([user("x")], { [name]: [] }), isArgumentError);
  assert.throws(() => any.render([cyclic as Message]), /messages\[0\]?\.content\[0\] holds itself|holds itself/);
});

test("what is beyond 2^53 or Python's own limits is refused by name", () => {
  for (const [source, fault] of [
    ["{{ 2 ** 60 + 1 }}", /2\^53/],
    ["{{ 9007199254740993 }}", /2\^53/],
    ["{{ range(100001) }}", /Range too big/],
    ["{{ messages|urlize }}", /No filter named 'urlize' found, or it is not supported/],
    ["{{ messages is frobnicated }}", /No test named 'frobnicated' found, or it is not supported/],
    ["{{ 'a'.zfill(3) }}", /the method zfill is not supported/],
    ["{% include 'x' %}", /'include' is not supported/],
    ["{{ messages.append(1) }}", /unsafe/],
    ["{% set ns = namespace() %}{% set ns._x = 1 %}", /underscore/],
  ] as const)
    assert.throws(
      () => render(source),
      (error: unknown) => isFormatError(error) && fault.test((error as SiskinError).message),
      source,
    );
});

test("a long conversation with long documents and many tools", () => {
  const parameters = { type: "object", properties: { a: { type: "string", description: "text ".repeat(40) } } };
  const tools = Array.from({ length: 50 }, (_, index) => ({
    type: "function",
    function: { name: `f${index}`, parameters },
  }));
  const messages = Array.from({ length: 100 }, (_, index) => ({
    role: index % 2 ? "assistant" : "user",
    content: `<think>hm</think> ${"word ".repeat(20_000)}`,
  }));
  const source =
    "{{ tools|tojson(indent=2) }}{% for m in messages %}{% set c = m.content.split('</think>')[-1].strip()|trim %}" +
    "{% if 'wo' in c and c.startswith('w') and not c.endswith('x') %}{{ m.role ~ ': ' + c|replace('word', 'W') }}{% endif %}{% endfor %}";
  const text = template(source).render(messages, { tools });
  assert.is(
    text.length,
    JSON.stringify(tools, null, 2).length + messages.reduce((sum, m) => sum + m.role.length + 2 + 39_999, 0),
  );
});

test.run();
