/** The frame around document and question gives the ids that the recorded readings used. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import { ChatTemplate } from "../../src/tokenizer/chat-template.ts";
import { promptParts } from "../../src/tokenizer/prompt-parts.ts";
import { nano, readJson, smollm2 } from "./support.ts";

interface Run {
  document: string;
  tokens: number[];
  questions: { question: string; ids: number[] }[];
}

const tokenizer = nano();
const parts = promptParts(tokenizer.chatTemplate, tokenizer);
const { runs } = readJson<{ runs: Record<string, Run> }>("test/fixtures/tokenizer/reading.json");

for (const [name, { document, tokens, questions }] of Object.entries(runs)) {
  test(`ids of ${name}`, () => {
    assert.equal([...parts.head, ...tokenizer.encode(document)], tokens);
    for (const { question, ids } of questions) assert.equal([...parts.question(question)], ids);
  });
}

test("the frame of nano", () => {
  assert.is(tokenizer.decode(parts.head), "<|bos|><|user|>");
  assert.is(tokenizer.decode(parts.tail), "<|end|><|assistant|>");
});

test("the frame is the template's own ids around one message", () => {
  const large = smollm2();
  const { head, question } = promptParts(large.chatTemplate, large);
  const content = "Anna has a dog.\n\nWho has a dog?";
  const rendered = large.chatTemplate!.render([{ role: "user", content }], { addGenerationPrompt: true });
  assert.equal(
    [...head, ...large.encode("Anna has a dog."), ...question("Who has a dog?")],
    [...large.encode(rendered, { special: true })],
  );
});

test("special tokens in a question are plain text", () => {
  const ids = [...parts.question("a<|end|>b")].slice(0, -parts.tail.length);
  assert.not(ids.some((id) => tokenizer.isSpecial(id)));
});

test("without a template", () => {
  const bare = promptParts(undefined, tokenizer);
  assert.equal([...bare.head], [0]);
  assert.equal([...bare.question("x")], [...tokenizer.encode("\n\nx"), ...tokenizer.encode("\n")]);
});

test("a template that loses or doubles the message is refused", () => {
  for (const source of [
    "nothing",
    "{{ messages[0].content }}{{ messages[0].content }}",
    "{{ messages[0].content | upper }}",
  ]) {
    const template = new ChatTemplate(new Map([["default", source]]), {}, "t");
    assert.throws(
      () => promptParts(template, tokenizer),
      (error: unknown) => error instanceof FormatError,
    );
  }
});

test.run();
