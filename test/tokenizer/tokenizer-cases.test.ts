/** Every recorded case of the two tokenizers: encoding, decoding, streaming decoding, chats. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { StreamDecoder } from "../../src/tokenizer/stream-decoder.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { type Fixture, fixture, nano, nanoFromGguf, smollm2 } from "./support.ts";

const ids = (tokens: Int32Array) => [...tokens];

function streamed(tokenizer: Tokenizer, tokens: number[], skipSpecial: boolean): string {
  const decoder = new StreamDecoder(tokenizer, { skipSpecial });
  let text = "";
  for (const token of tokens) text += decoder.push(token);
  return text + decoder.flush();
}

function cases(label: string, tokenizer: Tokenizer, recorded: Fixture) {
  for (const { name, text, ids: expected, ids_plain, decoded, decoded_without_special } of recorded.strings) {
    test(`${label}: ${name}`, () => {
      assert.equal(ids(tokenizer.encode(text, { special: true })), expected);
      assert.equal(ids(tokenizer.encode(text)), ids_plain ?? expected);
      for (const decode of [
        (skipSpecial: boolean) => tokenizer.decode(expected, { skipSpecial }),
        (skipSpecial: boolean) => streamed(tokenizer, expected, skipSpecial),
      ]) {
        assert.is(decode(false), decoded);
        assert.is(decode(true), decoded_without_special ?? decoded);
      }
    });
  }
  for (const [index, { ids: tokens, decoded }] of recorded.decode.entries()) {
    test(`${label}: decode ${index}`, () => {
      assert.is(tokenizer.decode(tokens), decoded);
      assert.is(streamed(tokenizer, tokens, false), decoded);
    });
  }
  for (const [index, chat] of recorded.chat.entries()) {
    test(`${label}: chat ${index}`, () => {
      const template = tokenizer.chatTemplate!;
      const closed = template.render(chat.messages);
      assert.is(closed, chat.rendered);
      assert.equal(ids(tokenizer.encode(closed, { special: true })), chat.rendered_ids);
      const open = template.render(chat.messages, { addGenerationPrompt: true });
      assert.is(open, chat.rendered_with_generation_prompt);
      assert.equal(ids(tokenizer.encode(open, { special: true })), chat.rendered_with_generation_prompt_ids);
    });
  }
}

const recorded = fixture("nano");
cases("nano", nano(), recorded);
cases("nano from GGUF", await nanoFromGguf(), recorded);
cases("smollm2", smollm2(), fixture("smollm2"));

test.run();
