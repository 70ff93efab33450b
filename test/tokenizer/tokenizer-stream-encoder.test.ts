/** A text cut anywhere encodes to the same tokens as the whole; what is held back is little, and what is held travels. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { integers } from "../support/random.ts";
import { fixture, inPieces, nano, readJson, smollm2 } from "./support.ts";

const strings = fixture("nano").strings.concat(fixture("smollm2").strings);
const documents = Object.values(
  readJson<{ runs: Record<string, { document: string }> }>("test/fixtures/tokenizer/reading.json").runs,
).map(({ document }) => document);

const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const llama3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";

/** The nano vocabulary behind another model's pre-tokenizer. */
function variant(pattern: string, changes: object = {}): Tokenizer {
  const json = readJson<Record<string, unknown>>("models/nano/tokenizer.json");
  const split = { type: "Split", pattern: { Regex: pattern }, behavior: "Isolated", invert: false };
  const bytes = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
  const pre_tokenizer = { type: "Sequence", pretokenizers: [split, bytes] };
  return Tokenizer.fromJson({ ...json, pre_tokenizer, ...changes }, {}, "variant.json");
}

const small = nano();
const tokenizers: [string, Tokenizer][] = [
  ["nano", small],
  ["gpt2", variant(gpt2)],
  ["llama3", variant(llama3)],
  ["llama3 with NFC", variant(llama3, { normalizer: { type: "NFC" } })],
  ["words that end in e", variant("[a-z]+(?<=e)|[\\s\\S]")],
  ["nothing but merges", variant("[\\s\\S]+")],
  ["smollm2", smollm2()],
];

// What decides cuts: white space of all kinds, apostrophes, letters, marks that compose, numerals, halves of surrogate pairs.
const alphabet = [
  ..." \n\t\r\u0958'’.,!-=aAsré中。，½1٣Ⅳ\u0301\u0338\u00a0\u0085\ufeff\u3000\u2028😀𠀀한\u1100\u1161",
  " ",
  " ",
  "\ud83d",
  "\ude00",
  "'s",
  "'ll",
  "\r\n",
  "  ",
];

for (const [name, tokenizer] of tokenizers) {
  test(`${name}: recorded strings and documents in pieces`, () => {
    const draw = integers(1);
    for (const text of [...strings.map((string) => string.text), ...documents.slice(0, 2)]) {
      const whole = [...tokenizer.encode(text)];
      for (const longest of text.length < 1000 ? [1, 3, 20] : [30, 300]) {
        assert.equal(
          inPieces(tokenizer, text, () => 1 + draw(longest)),
          whole,
        );
      }
    }
  });

  test(`${name}: 1,000 random strings`, () => {
    const draw = integers(3);
    for (let round = 0; round < 1000; round++) {
      const text = Array.from({ length: 1 + draw(30) }, () => alphabet[draw(alphabet.length)]).join("");
      assert.equal(
        inPieces(tokenizer, text, () => 1 + draw(4)),
        [...tokenizer.encode(text)],
        JSON.stringify(text),
      );
    }
  });
}

test("tokens come as soon as a word is closed", () => {
  const encoder = small.encoder();
  assert.is(encoder.push("The quick").length, small.encode("The").length);
  assert.equal(encoder.push("。"), small.encode(" quick"));
  assert.equal(encoder.end(), small.encode("。"));
  assert.is(encoder.end().length, 0);
});

test("what is held back stays small", () => {
  const text = `${documents[0]}${"使用汉语写成的句子，没有空格。".repeat(50)}\n1,2,3\n`.repeat(3);
  const encoder = small.encoder();
  let pushed = 0;
  let out = 0;
  let most = 0;
  for (const piece of text.match(/[\s\S]{1,100}/g)!) {
    pushed += new TextEncoder().encode(piece).length;
    for (const token of encoder.push(piece)) out += small.tokenBytes(token).length;
    most = Math.max(most, pushed - out);
  }
  assert.ok(most < 400, `${most} bytes`);
});

test("where nothing divides a text but its merges, tokens come all the same", () => {
  const merging = variant("[\\s\\S]+", { pre_tokenizer: null });
  const text = documents[0]!.repeat(3);
  const encoder = merging.encoder();
  let most = 0;
  for (let at = 0; at < text.length; at += 500) {
    encoder.push(text.slice(at, at + 500));
    most = Math.max(most, JSON.stringify(encoder.state).length);
  }
  assert.ok(most < 5000, `${most} characters`);
});

test("a run that cannot be divided is linear in time", () => {
  const encoder = small.encoder();
  const started = performance.now();
  for (let index = 0; index < 100_000; index++) assert.is(encoder.push("a").length, 0);
  assert.equal(encoder.end(), small.encode("a".repeat(100_000)));
  assert.ok(performance.now() - started < 10_000);
});

test("long text and long words give way in between", () => {
  for (const [name, text] of Object.entries({
    text: documents[0]!.repeat(30),
    letters: "a".repeat(300_000),
    spaces: " ".repeat(300_000),
    digits: "7".repeat(300_000),
  })) {
    for (const tokenizer of [small, variant("[\\s\\S]+", { pre_tokenizer: null })]) {
      const encoder = tokenizer.encoder();
      const tokens: number[] = [];
      let steps = 0;
      const add = (part: Int32Array) => {
        steps++;
        for (const token of part) tokens.push(token);
      };
      for (const part of encoder.pushInSteps(text)) add(part);
      for (const part of encoder.endInSteps()) add(part);
      assert.equal(Int32Array.from(tokens), tokenizer.encode(text), name);
      assert.ok(steps >= text.length / (1 << 14));
    }
  }
});

test("an added token that a cut could split", () => {
  const added = (content: string, more = {}) =>
    variant(gpt2, { added_tokens: [{ id: 8192, content, special: false, ...more }] });
  for (const tokenizer of [
    added("\n\n\n"),
    added("New York"),
    added("<x>", { rstrip: true }),
    added("x>", { lstrip: true }),
  ]) {
    const text = "In New York\n\n\n\n<x>  we\n\n are  <x> New Yorkers";
    const whole = [...tokenizer.encode(text)];
    assert.ok(whole.includes(8192));
    for (const length of [1, 2, 5])
      assert.equal(
        inPieces(tokenizer, text, () => length),
        whole,
      );
  }
});

test("special tokens are tokens where they may be, and text elsewhere", () => {
  const encoder = small.encoder();
  const [user, end] = [small.tokenText(2), small.tokenText(1)];
  const tokens = [...encoder.push(user, { special: true }), ...encoder.push(`a${end}b${user.slice(0, 3)}`)];
  tokens.push(...encoder.push(`${user.slice(3)}${end}`, { special: true }), ...encoder.end());
  assert.is(tokens[0], 2);
  assert.is(tokens.at(-1), 1);
  assert.is(tokens.filter((token) => small.isSpecial(token)).length, 2);
  assert.is(small.decode(tokens), `${user}a${end}b${user}${end}`);
});

test.run();
