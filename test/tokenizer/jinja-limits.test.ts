/** Templates that run wild: every one ends soon, in bounded memory, with an error that says so. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import { ChatTemplate } from "../../src/tokenizer/chat-template.ts";

const isFormatError = (error: unknown) => error instanceof FormatError && error.file === "broken.json";
const render = (source: string) =>
  new ChatTemplate(new Map([["default", source]]), {}, "broken.json").render([{ role: "user", content: "hello" }]);

const doubled = (count: number) => "{% set a = a + a %}".repeat(count);
const shared = (start: string) =>
  `{% set a = ${start} %}{% set b = ${start} %}${"{% set a = [a, a] %}{% set b = [b, b] %}".repeat(40)}`;
const loop = (body: string, first = "") =>
  `{% set ns = namespace(l=[], s='x' * 16) %}${first}{% for i in range(99999) %}${body}{% endfor %}`;
const million = "{% set a = 'x' * 1000000 %}";

for (const [name, source] of Object.entries({
  "nested loops": loop("{% for j in range(99999) %}{{ i + j }}{% endfor %}"),
  "empty nested loops": loop("{% for j in range(99999) %}{% endfor %}"),
  "empty loops over a doubled list": `{% set a = range(1000)|list %}${doubled(9)}{% for y in range(9) %}{% for x in a %}{% endfor %}{% endfor %}`,
  "lists that are kept": `{% set a = range(1000)|list %}${doubled(9)}${loop("{% set ns.l = ns.l + [a + [i]] %}")}`,
  "a shared list as JSON": `${shared("[]")}{{ a|tojson }}`,
  "a shared list as text": `${shared("[]")}{{ a }}`,
  "shared lists compared": `${shared("[1]")}{{ a == b }}`,
  "shared lists in order": `${shared("[1]")}{{ a < b }}`,
  "shared tuples as keys": `{% set a = (1,) %}${"{% set a = (a, a) %}".repeat(40)}{{ {a: 1} }}`,
  "a deep list as text": `${loop("{% set ns.l = [ns.l] %}")}{{ ns.l }}`,
  "a deep list as JSON": `${loop("{% set ns.l = [ns.l] %}")}{{ ns.l|tojson }}`,
  "a doubled string": `${loop("{% set ns.s = ns.s + ns.s %}")}{{ ns.s }}`,
  "long strings that are kept": `${million}${loop("{% set ns.l = [ns.l, (a ~ i)|upper] %}")}`,
  "long strings as keys": `${million}${loop("{% set ns.l = [ns.l, {a ~ i: 1}] %}")}`,
  "long strings looked up": `${million}{% set d = {} %}${loop("{% set x = a ~ i %}{% set y = d.get(x) %}{% set ns.l = [ns.l, x] %}")}`,
  "a repeated string": "{{ 'x' * 999999999 }}",
  "a repeated list": "{{ [1] * 999999999 }}",
  "replacing by more": `${million}{{ a|replace('x', a) }}`,
  "replacing nothing by much": `${million}{{ a|replace('', a) }}`,
  "joining with much": `${million}{{ range(99999)|join(a) }}`,
  "a search that would be quadratic":
    "{% set a = 'a' * 4000000 %}{% set p = 'b' ~ 'a' * 2000000 %}{{ p in a }}{{ a.rfind(p) }}",
  "a wide text": "{{ 'x'.center(999999999) }}",
  "a wide number": "{{ '%999999999d' % 1 }}",
  "a width from outside": "{{ '%*d' % (999999999, 1) }}",
  "a wide field": "{{ '{:>999999999}'.format(1) }}",
  "too many decimals": "{{ '%.99999f' % 1.5 }}",
  "a wide date": "{{ strftime_now('%999999999d') }}",
  "much indentation": "{{ ('\\n' * 100000)|indent('x' * 100000) }}",
  "much indentation of JSON": "{{ [[[[[1]]]]]|tojson(indent=999999999) }}",
  "long separators": `${million}{{ range(1000)|list|tojson(separators=(a, ':')) }}`,
  "a filled batch": "{{ [1]|batch(999999999, 'x')|list }}",
  "a macro that calls itself": "{% macro f(x) %}{{ f(x) }}{% endmacro %}{{ f(1) }}",
  "a macro that calls itself twice":
    "{% macro f(n) %}{% if n > 0 %}{{ f(n - 1) }}{{ f(n - 1) }}{% endif %}{% endmacro %}{{ f(40) }}",
  "a loop that calls itself": "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
  "generators in a row": `${loop("{% set ns.l = ns.l|map('string') %}")}{{ ns.l|list }}`,
  "macros that are kept": loop("{% macro f() %}{% endmacro %}{% set ns.l = [ns.l, f] %}"),
  "methods that are kept": loop("{% set ns.l = [ns.l, 'x'.strip, {}.get] %}"),
  "dates without end": "{{ strftime_now('%c' * 1000000) }}",
  "characters beyond 16 bits":
    "{% set s = '😀' * 100000 %}{% for i in range(99999) %}{% set x = s|length %}{{ s[i] }}{% endfor %}",
  "slices of a long text": `${million}${loop("{% set x = a[::2] %}")}`,
  "the same work again and again": `${million}${loop("{% set x = a.strip() %}")}`,
  "arguments without end": `{% macro f() %}{{ varargs|length }}{% endmacro %}{% set d = range(99999)|list %}${loop("{{ f(*d) }}")}`,
  "a sum of lists": "{{ ([[1] * 1000] * 10000)|sum(start=[])|length }}",
  "much output": loop("x".repeat(1000)),
  "a power": "{{ 9 ** 9 ** 9 ** 9 }}",
}))
  test(`stopped: ${name}`, () => {
    const started = performance.now();
    assert.throws(() => render(source), isFormatError);
    assert.ok(performance.now() - started < 10_000);
  });

for (const [name, source] of Object.entries({
  "not closed": "{% if true %}",
  "no statement": "{% frobnicate %}",
  "too long": "x".repeat(200_001),
  "a string that is not closed": `{{ '${"a'".repeat(90_000)} }}`,
  "a comment that is not closed": "{#".repeat(90_000),
  "a raw block that is not closed": `{% raw %}${"{% ".repeat(60_000)}`,
  parentheses: `{{ ${"(".repeat(90_000)}1${")".repeat(90_000)} }}`,
  lists: `{{ ${"[".repeat(90_000)}${"]".repeat(90_000)} }}`,
  dicts: `{{ ${"{1:".repeat(40_000)}1${"}".repeat(40_000)} }}`,
  braces: "{".repeat(190_000),
  nots: `{{ ${"not ".repeat(40_000)}1 }}`,
  signs: `{{ ${"-".repeat(40_000)}1 }}`,
  "a long sum": `{{ 1${" + 1".repeat(40_000)} }}`,
  conditions: `{{ 1${" if 1 else 1".repeat(14_000)} }}`,
  "conditions without else": `{{ 1${" if 1\n".repeat(28_000)} }}`,
  attributes: `{{ a${".b".repeat(90_000)} }}`,
  items: `{{ a${"[0]".repeat(60_000)} }}`,
  calls: `{{ a${"()".repeat(90_000)} }}`,
  tests: `{{ a${" is defined".repeat(10_000)} }}`,
  branches: "{% if true %}".repeat(7000) + "{% endif %}".repeat(7000),
  loops: "{% for i in [1] %}".repeat(7000) + "{% endfor %}".repeat(7000),
  macros: "{% macro a() %}".repeat(7000) + "{% endmacro %}".repeat(7000),
  targets: `{% set ${"(".repeat(40_000)}a${")".repeat(40_000)} = 1 %}`,
  numbers: `{{ ${"1".repeat(190_000)} }}`,
}))
  test(`refused: ${name}`, () => {
    const started = performance.now();
    assert.throws(() => render(source), isFormatError);
    assert.ok(performance.now() - started < 10_000);
  });

test("long runs of white space, and of filters, are no work", () => {
  const spaces = " ".repeat(190_000);
  const started = performance.now();
  assert.is(render(`${spaces}{{ 1 }}`), `${spaces}1`);
  assert.is(render(`${spaces}{{- 1 }}`), "1");
  assert.is(render(`{%${spaces}if true %}x{% endif %}`), "x");
  assert.is(render(`{{ 1${spaces}}}`), "1");
  assert.is(render(`{# ${spaces}#}x`), "x");
  assert.is(render(`{{ "x"${"|trim".repeat(30_000)} }}`), "x");
  assert.ok(performance.now() - started < 10_000);
});

test("a long message is no excess", () => {
  const long = "word ".repeat(1_000_000);
  const chat = new ChatTemplate(new Map([["default", "{{ messages[0].content }}"]]), {}, "t");
  assert.is(chat.render([{ role: "user", content: long }]), long);
});

test.run();
