/** Chat templates drawn from all that Jinja has, above all what grows, nests and repeats, for conversations that may be odd. */
import { loadModel } from "../../src/runtimes/node.ts";
import { ChatTemplate, type Message } from "../../src/tokenizer/chat-template.ts";
import type { Dice } from "../support/random.ts";
import { tinyFolder, tinyModel } from "../support/tiny-model.ts";
import { mangleBytes, mangleJson, oddJsonText, oddText } from "./mangle.ts";

const plain =
  "{{ bos_token }}{% for message in messages %}{{ message['role'] + ': ' + message['content'] | trim }}{% endfor %}{% if add_generation_prompt %}A:{% endif %}";
const folder = tinyFolder(tinyModel({ width: 16, feedForward: 16, headSize: 8, vocabulary: 260 }));
const tokenizerConfig = JSON.parse(new TextDecoder().decode(folder["tokenizer_config.json"]));

/** Large values of every kind, and something that can be called. */
const head =
  "{% set s = 'x' * 500000 %}{% set l = range(9999)|list %}{% set u = '😀' * 99999 %}{% set w = 'a, b\n' * 99999 %}" +
  "{% set p = 'a' * 99999 ~ 'b' %}{% set y = [[[]]] %}{% set ns = namespace(a=[], s='x') %}{% set h = s|safe %}" +
  "{% macro m(a, b=1) %}{{ a }}{{ kwargs|length }}{{ varargs|length }}{% endmacro %}{% macro c() %}{{ caller(1) }}{% endmacro %}";
/** Whether what is drawn next may be of the wrong type; most are right, as wrong ones end a template at once. */
const isWrong = (dice: Dice) => dice.chance(0.02);

type Kind = "text" | "list" | "number" | "any";

const leaves: Record<Kind, readonly string[]> = {
  text: ["s", "s", "u", "w", "w", "p", "h", "ns.s", "'a'", "''", "x|string", "'ab' ~ x"],
  list: ["l", "l", "l[:99]", "y", "[x]", "ns.a|list", "messages", "[s, w]", "d|list", "range(9999)", "(1, 2)", "[]"],
  number: ["0", "1", "3", "99999", "1.5", "l|length", "n", "9007199254740991", "-1"],
  any: ["x", "d", "none", "n", "h", "true", "{'k': x}", "ns.a", "tools"],
};

const made: Record<Kind, readonly ((dice: Dice, of: (kind: Kind) => string) => string)[]> = {
  text: [
    (_, of) => `(${of("text")} ~ ${of("any")})`,
    (_, of) => `(${of("text")} + ${of("text")})`,
    (_, of) => `${of("text")} * ${of("number")}`,
    (_, of) => `${of("text")}.replace(${of("text")}, ${of("text")})`,
    (_, of) => `${of("text")}|replace(${of("text")}, ${of("text")})`,
    (_, of) => `${of("list")}|join(${of("text")})`,
    (_, of) => `${of("text")}.join(${of("list")}|map('string'))`,
    (dice, of) =>
      `${of("any")}|${dice.pick(["string", "tojson", "tojson(indent=9)", "tojson(ensure_ascii=true)", "e"])}`,
    (dice, of) =>
      `${of("text")}|${dice.pick(["upper", "lower", "title", "capitalize", "trim", "safe", "reverse", "indent(9)"])}`,
    (dice, of) => `${of("text")}.${dice.pick(["upper", "title", "strip", "rstrip", "capitalize"])}()`,
    (dice, of) => `${of("text")}.${dice.pick(["strip", "removesuffix", "removeprefix", "lstrip"])}(${of("text")})`,
    (dice, of) => `${of("text")}[${dice.pick(["0", "1:", "::2", "::-1", ":-1"])}]`,
    (dice, of) => `${dice.pick(["'%s'", "'%9999s'", "'%r'"])} % (${of("any")},)`,
    (dice, of) => `${dice.pick(["'{}'", "'{:>9999}'", "'{!r}'", "'{0}{0}{0}'"])}.format(${of("text")})`,
    (_, of) => `m(${of("any")}, *${of("list")})`,
    (_, of) => `strftime_now(${of("text")})`,
  ],
  list: [
    (_, of) => `(${of("list")}|list + ${of("list")}|list)`,
    (_, of) => `[${of("any")}, ${of("list")}]`,
    (_, of) => `${of("list")}|list * ${of("number")}`,
    (dice, of) =>
      `${of("list")}|${dice.pick(["list", "unique|list", "reverse|list", "map('string')|list", "select|list", "map('upper')|list"])}`,
    (dice, of) =>
      `${of("list")}|map('string')|${dice.pick(["sort", "map('upper')|sort(reverse=true)", "unique|sort", "map('list')|list"])}`,
    (dice, of) => `${of("list")}|selectattr('k'${dice.pick(["", ", 'eq', s", ", 'in', l", ", 'none'"])})|list`,
    (_, of) => `${of("list")}|map(attribute='k', default=${of("any")})|list`,
    (dice, of) => `${of("list")}[${dice.pick(["1:", "::2", "::-1", ":-1"])}]`,
    (dice, of) =>
      `${of("text")}.${dice.pick(["split()", "split('a')", "rsplit(' ', 9)", "splitlines()", "partition('b')"])}`,
    (_, of) => `${of("text")}|list`,
    (_, of) => `${of("text")}.split(${of("text")})`,
    (_, of) => `(${of("any")}, ${of("any")})`,
    (dice) => dice.pick(["d.items()", "d|dictsort", "d.values()|list", "d|items|list", "dict(d, k=x).items()"]),
  ],
  number: [
    (_, of) => `${of("list")}|length`,
    (_, of) => `${of("text")}|length`,
    (dice, of) => `${of("text")}.${dice.pick(["count", "find", "rfind"])}(${of("text")})`,
    (dice, of) => `(${of("number")} ${dice.pick(["+", "-", "*", "//", "%", "/"])} ${of("number")})`,
    (dice, of) => `${of("number")}|${dice.pick(["abs", "int", "float", "round", "round(2)", "string|int"])}`,
    (_, of) => `${of("text")}|int`,
    (_, _of) => `l|sum`,
  ],
  any: [
    (_, of) => of("text"),
    (_, of) => of("list"),
    (_, of) => of("number"),
    (dice, of) => `(${of("text")} ${dice.pick(["==", "<", "in", "not in", "!="])} ${of("text")})`,
    (dice, of) => `(${of("list")} ${dice.pick(["==", "!="])} ${of("list")})`,
    (_, of) => `(${of("any")} in ${of("list")})`,
    (dice, of) => `(${of("any")} ${dice.pick(["and", "or"])} ${of("any")})`,
    (_, of) => `(${of("any")} if ${of("any")} else ${of("any")})`,
    (dice, of) =>
      `(${of("any")} is ${dice.pick(["defined", "none", "string", "mapping", "iterable", "in(l)", "eq(p)"])})`,
    (_, of) => `{${of("text")}: ${of("any")}, 'k': ${of("any")}}`,
    (_, of) => `${of("list")}|first`,
    (_, of) => `${of("list")}|last`,
    (_, of) => `d[${of("text")}]`,
    (_, of) => `d.get(${of("text")}, ${of("any")})`,
    (_, of) => `namespace(a=${of("any")}).a`,
    (dice, of) => `(loop.${dice.pick(["cycle", "changed"])}(${of("any")}) if loop is defined)`,
    (_, of) => `${of("list")}|${"max"}`,
  ],
};

function expression(dice: Dice, kind: Kind, depth: number): string {
  const wanted = isWrong(dice) ? dice.pick(["text", "list", "number", "any"] as const) : kind;
  if (depth <= 0) return dice.pick(leaves[wanted]);
  return `(${dice.pick(made[wanted])(dice, (inner) => expression(dice, inner, depth - dice.whole(1, 2)))})`;
}

function statements(dice: Dice, depth: number, isLoop = false): string {
  const value = (kind: Kind = "any") => expression(dice, kind, dice.whole(0, 4));
  const inner = (inLoop = isLoop) => (depth > 0 ? statements(dice, depth - 1, inLoop) : "x");
  let source = "";
  for (let count = dice.whole(1, 3); count > 0; count--)
    source += dice.pick([
      () =>
        `{% for x in ${dice.pick(["l", "s", "u", "d", "range(99999)", value("list")])} %}${inner(true)}{% endfor %}`,
      () => `{% for x in ${value("list")} if ${value()} %}${inner(true)}{% else %}${inner()}{% endfor %}`,
      () => `{% for x, n in d.items() %}${inner(true)}{% endfor %}`,
      () =>
        `{% for x in l %}{% set ns.a = ${dice.pick(["[ns.a, ", "ns.a + [", "[", "[ns.s, "])}${value()}] %}{% endfor %}{{ ns.a }}`,
      () => `{% for x in l %}{% set ns.s = ns.s ~ ${value("text")} %}{{ loop.last }}{% endfor %}{{ ns.s|length }}`,
      () => `{% for x in l %}{% set q = ${value()} %}{{ loop.nextitem }}{% endfor %}`,
      () => `{% if ${value()} %}${inner()}{% elif ${value()} %}${inner()}{% else %}${inner()}{% endif %}`,
      () => `{% set ${dice.pick(["s", "w", "p", "ns.s"])} = ${value("text")} %}`,
      () => `{% set ${dice.pick(["l", "y", "ns.a"])} = ${value("list")} %}`,
      () => `{% set x${dice.pick(["", "|upper", "|trim|length"])} %}${inner()}{% endset %}`,
      () => `{{ ${value()} }}`,
      () =>
        `{% macro m(a, b=${value()}) %}${inner(false)}{{ m(a) }}{{ varargs|length }}{% endmacro %}{{ m(${value()}) }}`,
      () => `{% call(a) c() %}${inner(false)}{% endcall %}`,
      () => `{% filter ${dice.pick(["upper", "trim", "indent(9)", "replace('a', s)"])} %}${inner()}{% endfilter %}`,
      () => `{% with x = ${value()} %}${inner()}{% endwith %}`,
      () =>
        dice
          .pick([
            "{% set y = [y, y] %}",
            "{% set s = s ~ s %}",
            "{% set l = l + l %}",
            "{% set y = {'k': y, 'j': y} %}",
          ])
          .repeat(dice.whole(1, 60)),
      () => (isLoop ? dice.pick(["{% break %}", "{% continue %}"]) : "{{- x -}}"),
      () =>
        isWrong(dice)
          ? dice.pick(["{%", "{{", "{#", "%}", "{% endfor %}", "{% raw %}", "{{ {{ }}", "'", "\\"])
          : "{# #}",
    ])();
  return source;
}

/** Something that a lexer or parser could choke on, as often as there is room. */
function bomb(dice: Dice): string {
  const [open, close] = dice.pick([
    ["{{ (", ""],
    ["(", ")"],
    ["[", "]"],
    ["{1:", "}"],
    ["{% if 1 %}", "{% endif %}"],
    ["{% for x in y %}", "{% endfor %}"],
    ["{% macro m() %}", "{% endmacro %}"],
    ["{% set x %}", "{% endset %}"],
    ["{% call m() %}", "{% endcall %}"],
    ["{#", ""],
    ["{% raw %}", ""],
    ["not ", ""],
    ["-", ""],
    [" + 1", ""],
    [" ~ x", ""],
    ["|upper", ""],
    [".a", ""],
    ["[0]", ""],
    ["()", ""],
    [" if 1 else 1", ""],
    ["'a' ", ""],
    ["\\", ""],
    ["9", ""],
    ["1_", ""],
    ["{", ""],
    ["{%+", ""],
    ["\n ", ""],
    ["x.", ""],
    [", a", ""],
    ["%}", ""],
  ] as const);
  const count = Math.min(dice.pick([50, 400, 5000, 190_000]), Math.floor(190_000 / (open.length + close.length)));
  const [before, after] = dice.pick([
    ["", ""],
    ["{{ ", " }}"],
    ["{{ 1", " }}"],
    ["{% if 1", " %}{% endif %}"],
    ["{% set a = ", " %}{{ a }}"],
    ["{{ '", "' }}"],
    ["{% for ", " in x %}{% endfor %}"],
  ] as const);
  return before + open.repeat(count) + dice.pick(["1", "", "x"]) + close.repeat(count) + after;
}

/** A template, rendered for a conversation; one in ten comes with a model. */
export async function templates(dice: Dice): Promise<void> {
  const source = dice.pick([
    () => head + statements(dice, 3),
    () => head + statements(dice, 3),
    () => `${head}{% for x in l %}{% set q = ${expression(dice, "any", 4)} %}{% endfor %}`,
    () => `${head}{% for x in l %}{% set ns.a = [ns.a, ${expression(dice, "any", 4)}] %}{% endfor %}{{ ns.a }}`,
    () => bomb(dice),
    () => new TextDecoder().decode(mangleBytes(new TextEncoder().encode(plain), dice)),
  ])();
  const messages = (
    dice.chance(0.9)
      ? [{ role: "user", content: oddText(dice) }]
      : mangleJson([{ role: "user", content: "x", k: [1, { a: null }] }], dice)
  ) as Message[];
  const d = dice.chance(0.3)
    ? Object.fromEntries(Array.from({ length: 9999 }, (_, index) => [`k${index}`, index]))
    : {};
  if (dice.chance(0.9)) {
    const chat = new ChatTemplate(new Map([["default", source]]), { bos_token: "<s>" }, "template");
    chat.render(messages, { addGenerationPrompt: true, d, x: "x", n: 2 });
    return;
  }
  const config = oddJsonText({ ...tokenizerConfig, chat_template: source }, dice);
  const loaded = await loadModel({ ...folder, "tokenizer_config.json": config });
  try {
    loaded.tokenizer.chatTemplate?.render(messages, { addGenerationPrompt: true, d, x: "x", n: 2 });
  } finally {
    loaded.dispose();
  }
}
