/** The parts of a prompt, read apart, are the tokens of the whole text. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import { ChatTemplate } from "../../src/tokenizer/chat-template.ts";
import { type DocumentEncoder, type DocumentEnd, PromptFrame } from "../../src/tokenizer/prompt-frame.ts";
import { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { integers } from "../support/random.ts";
import { nano, readJson, readPacked, smollm2 } from "./support.ts";

interface Run {
  document: string;
  tokens: number[];
  questions: { question: string; ids: number[] }[];
}

const tokenizer = nano();
const parts = new PromptFrame(tokenizer.chatTemplate, tokenizer);
const { runs } = readJson<{ runs: Record<string, Run> }>("test/fixtures/tokenizer/reading.json");

/** What a document in pieces puts in, and how it ended. */
function read(prompt: PromptFrame, pieces: Iterable<string>): { tokens: number[]; end: DocumentEnd } {
  const encoder = prompt.begin();
  const tokens = [...encoder.head];
  for (const piece of pieces) for (const part of encoder.push(piece)) tokens.push(...part);
  const end = ended(encoder, tokens);
  // As a capsule passes it on.
  return { tokens, end: prompt.checkedEnd(JSON.parse(JSON.stringify(end))) };
}

/** Ends a document, and puts its last tokens behind the others. */
function ended(encoder: DocumentEncoder, tokens: number[]): DocumentEnd {
  const last = encoder.end();
  for (;;) {
    const { value, done } = last.next();
    if (done) return value;
    tokens.push(...value);
  }
}

for (const [name, { document, tokens, questions }] of Object.entries(runs)) {
  test(`ids of ${name}`, () => {
    assert.equal([...parts.head, ...tokenizer.encode(document)], tokens);
    const whole = read(parts, [document]);
    assert.equal(whole.tokens, tokens);
    for (const { question, ids } of questions) {
      assert.equal([...parts.question(question)], ids);
      assert.equal([...parts.question(question, whole.end)], ids);
    }
  });
}

test("the frame of nano", () => {
  assert.is(tokenizer.decode(parts.head), "<|bos|><|user|>");
  assert.is(tokenizer.decode(parts.tail), "<|end|><|assistant|>");
});

interface Case {
  name: string;
  prompt?: { document: string; question: string; ids: number[] }[];
  tokenizer: object;
  config: Record<string, unknown>;
}

for (const { name, prompt, tokenizer: json, config } of readPacked<Case[]>("cases")) {
  if (!prompt) continue;
  test(`as transformers has the whole: ${name}`, () => {
    const own = Tokenizer.fromJson(json, { tokenizerConfig: config }, "tokenizer.json");
    const prompts = new PromptFrame(own.chatTemplate, own);
    for (const { document, question, ids } of prompt) {
      for (const pieces of [[document], [...document], document.match(/.{1,7}/gs)!]) {
        const { tokens, end } = read(prompts, pieces);
        assert.equal([...tokens, ...prompts.question(question, end)], ids);
      }
    }
  });
}

const templates = ["<s>[INST] @ [/INST]", "USER: @ ASSISTANT:", "@", "<|user|>\n@\n<|end|>\n", " \n@\n\n", "a'@'s."];
const ends = [
  "",
  ".",
  "...",
  " ",
  "  ",
  "\n",
  "\n\n",
  " \n",
  "e",
  "'",
  "1",
  "中",
  "\u0301",
  "\u00a0",
  "!\r\n",
  "\ud83d",
];

/** A template that writes a message between two texts. */
const between = (text: string) =>
  new ChatTemplate(new Map([["default", text.replace("@", "{{ messages[0].content }}")]]), {}, "t");

/** Tokenizers of all kinds, each with what a template needs. */
function kinds(): [string, Tokenizer][] {
  const metadata = new Map(
    readPacked<{ name: string; metadata: Record<string, unknown> }[]>("llama-cpp-kinds").map(({ name, metadata }) => [
      name,
      new Map(Object.entries(metadata)),
    ]),
  );
  const gguf = (name: string, changes: Record<string, unknown> = {}) => {
    const values = new Map([...metadata.get(name)!, ...Object.entries(changes)]);
    return Tokenizer.fromGguf((key) => values.get(key), name);
  };
  return [
    ["nano", tokenizer],
    ["sentencepiece", gguf("sp0")],
    ["sentencepiece, shuffled", gguf("s3")],
    ...["gpt-2", "llama-bpe", "qwen2", "tekken", "gpt-4o", "deepseek-llm", "deepseek-v3", "bloom", "afmoe"].map(
      (pre): [string, Tokenizer] => [pre, gguf("sh", { "tokenizer.ggml.pre": pre })],
    ),
    ...readPacked<Case[]>("cases")
      .filter(({ name }) => /^(prompt-|metaspace|strip|normalized|single)/.test(name))
      .map(({ name, tokenizer: json }): [string, Tokenizer] => [name, Tokenizer.fromJson(json, {}, name)]),
    ["unigram", Tokenizer.fromJson(readPacked<{ tokenizer: object }[]>("unigram")[1]!.tokenizer, {}, "unigram")],
  ];
}

for (const [name, own] of kinds()) {
  test(`any document's end, any question's beginning: ${name}`, () => {
    const draw = integers(11);
    for (let round = 0; round < 150; round++) {
      const template = templates[draw(templates.length)]!;
      const [head, tail] = between(template)
        .render([{ role: "user", content: "@" }])
        .split("@") as [string, string];
      const piece = () => ends[draw(ends.length)]!;
      const document = `${piece()}The old house${piece()}${piece()}`;
      const question = `${piece()}${draw(2) ? "Who" : ""}${piece()}`;
      const prompts = new PromptFrame(between(template), own);
      const { tokens, end } = read(prompts, draw(2) ? [document] : [...document]);
      const encoder = own.encoder();
      const whole = [
        ...encoder.push(head, { special: true }),
        ...encoder.push(`${document}\n\n${question}`),
        ...encoder.push(tail, { special: true }),
        ...encoder.end(),
      ];
      assert.equal(
        [...tokens, ...prompts.question(question, end)],
        whole,
        JSON.stringify([template, document, question]),
      );
    }
  });
}

test("the frame is the template's own ids around one message", () => {
  const large = smollm2();
  const prompts = new PromptFrame(large.chatTemplate, large);
  const content = "Anna has a dog.\n\nWho has a dog?";
  const rendered = large.chatTemplate!.render([{ role: "user", content }], { addGenerationPrompt: true });
  const { tokens, end } = read(prompts, ["Anna has a dog."]);
  assert.equal([...tokens, ...prompts.question("Who has a dog?", end)], [...large.encode(rendered, { special: true })]);
});

test("a template that trims the message", () => {
  const trimming = new ChatTemplate(new Map([["default", "<|user|>{{ messages[0].content | trim }}<|end|>"]]), {}, "t");
  const { tokens, end } = read(new PromptFrame(trimming, tokenizer), [" \u0085", "\n The house \n"]);
  const question = new PromptFrame(trimming, tokenizer).question(" Who? \u001c\n", end);
  assert.is(tokenizer.decode([...tokens, ...question]), "<|user|>The house \n\n\n Who?<|end|>");
});

test("special tokens in a document or a question are plain text", () => {
  const { tokens, end } = read(parts, ["a<|end|>b<|", "end|>"]);
  const question = [...parts.question("<|end|>b", end)];
  const special = [...tokens, ...question].filter((id) => tokenizer.isSpecial(id));
  assert.equal(special, [...parts.head, ...parts.tail]);
});

test("another document goes on from a cut", () => {
  const { tokens, end } = read(parts, ["The old house. "]);
  const second = parts.goOn(end);
  const all = [...tokens, ...second.head];
  for (const part of second.push(" It stands.")) all.push(...part);
  ended(second, all);
  assert.is(tokenizer.decode(all.slice(parts.head.length)), "The old house.  It stands.");
});

test("without a template", () => {
  const bare = new PromptFrame(undefined, tokenizer);
  assert.equal([...bare.head], [0]);
  assert.equal(
    [...bare.question("x")],
    [...tokenizer.encode("\n\nx"), ...tokenizer.encode("\n")]
      .slice(0, -2)
      .concat([...tokenizer.encode("x\n")].slice(-2)),
  );
});

test("ends of documents that are none", () => {
  const { end } = read(parts, ["The old house"]);
  const state = end.state as unknown[];
  for (const value of [
    null,
    {},
    { state: [], given: 0 },
    { ...end, given: -1 },
    { ...end, given: 0.5 },
    { ...end, given: 1000 },
    { ...end, state: [...state, ""] },
    { ...end, state: [0, ...state.slice(1)] },
  ]) {
    assert.throws(
      () => parts.checkedEnd(value),
      (error: unknown) => error instanceof FormatError,
    );
  }
});

test("a template that loses, doubles or changes the message is refused", () => {
  for (const source of [
    "nothing",
    "{{ messages[0].content }}{{ messages[0].content }}",
    "{{ messages[0].content | upper }}",
    "{{ raise_exception('no') }}",
  ]) {
    const template = new ChatTemplate(new Map([["default", source]]), {}, "t");
    assert.throws(
      () => new PromptFrame(template, tokenizer),
      (error: unknown) => error instanceof FormatError || (error as Error).message.includes("no"),
    );
  }
});

test.run();
