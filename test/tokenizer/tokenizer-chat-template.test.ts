/** Chat templates: what they may do, and what becomes of templates that run wild. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, FormatError } from "../../src/errors.ts";
import { ChatTemplate } from "../../src/tokenizer/chat-template.ts";
import { nano } from "./support.ts";

const variables = { bos_token: "<s>", eos_token: "</s>" };
const template = (source: string) => new ChatTemplate(source, variables, "broken.json");
const render = (source: string, content = "hello") => template(source).render([{ role: "user", content }]);
const isFormatError = (error: unknown) => error instanceof FormatError && error.file === "broken.json";

test("variables and functions", () => {
  assert.is(render("{{ bos_token }}{{ messages[0].content }}{{ eos_token }}"), "<s>hello</s>");
  assert.is(render("{% if add_generation_prompt %}x{% else %}y{% endif %}"), "y");
  assert.is(
    render("{% for i in range(1, 6, 2) %}{{ i }}{% endfor %}{{ range(3) | length }}{{ range(3, 0, -1)[0] }}"),
    "13533",
  );
  assert.match(render("{{ strftime_now('%Y-%m-%d') }}"), /^20\d\d-\d\d-\d\d$/);
  assert.is(render("{{ True and not False and none is none }}"), "true");
});

test("a template's own refusal", () => {
  const chat = nano().chatTemplate!;
  assert.throws(
    () => chat.render([{ role: "tool", content: "x" }]),
    (error: unknown) => error instanceof ArgumentError && error.message === "Unknown role: tool",
  );
});

test("where a template comes from", () => {
  assert.is(ChatTemplate.from(undefined, variables, "t"), undefined);
  assert.is(ChatTemplate.from(null, variables, "t"), undefined);
  const list = [
    { name: "tool_use", template: "t" },
    { name: "default", template: "d" },
  ];
  assert.is(ChatTemplate.from(list, variables, "t")!.render([]), "d");
  for (const field of [5, {}, [], [null], [{ name: "other", template: "x" }]])
    assert.throws(() => ChatTemplate.from(field, variables, "broken.json"), isFormatError);
});

test("a long message is no excess", () => {
  const long = "word ".repeat(1_000_000);
  assert.is(render("{{ messages[0].content }}", long), long);
});

for (const [name, source] of Object.entries({
  "not closed": "{% if true %}",
  "not a statement": "{% frobnicate %}",
  "too long": "x".repeat(200_001),
  "5,000 parentheses": `{{ ${"(".repeat(5000)}1${")".repeat(5000)} }}`,
  "5,000 lists": `{{ ${"[".repeat(5000)}${"]".repeat(5000)} }}`,
}))
  test(`refused before it runs: ${name}`, () => assert.throws(() => template(source), isFormatError));

for (const [name, source] of Object.entries({
  "nested loops": "{% for i in range(3000) %}{% for j in range(3000) %}{{ i }}{% endfor %}{% endfor %}",
  "empty nested loops": "{% for i in range(3000) %}{% for j in range(3000) %}{% endfor %}{% endfor %}",
  "a long range": "{{ range(1000000000) | length }}",
  "a range without end": "{{ range(0, 1, 0) | length }}",
  "a doubled string":
    "{% set n = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in range(40) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s }}",
  "much output": `{% for i in range(2000) %}${"x".repeat(1000)}{% endfor %}`,
  "deep nots": `{{ ${"not ".repeat(20_000)}1 }}`,
  "a long sum": `{{ 1${" + 1".repeat(30_000)} }}`,
  "deep conditions": "{% if true %}".repeat(7000) + "{% endif %}".repeat(7000),
  "a doubled list":
    "{% set n = namespace(s=[1, 2]) %}{% for i in range(40) %}{% set n.s = n.s + n.s %}{% endfor %}{{ n.s | length }}",
  "an unknown function": "{{ frobnicate() }}",
}))
  test(`stopped: ${name}`, () => {
    const started = performance.now();
    assert.throws(() => render(source), isFormatError);
    assert.ok(performance.now() - started < 3000);
  });

test.run();
