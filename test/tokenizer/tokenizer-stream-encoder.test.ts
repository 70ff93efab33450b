/** A text cut anywhere encodes to the same tokens as the whole, for every pre-tokenizer that is said to allow cuts. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { patterns } from "../../src/tokenizer/splitting.ts";
import { StreamEncoder } from "../../src/tokenizer/stream-encoder.ts";
import { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { integers } from "../support/random.ts";
import { fixture, nano, readJson, smollm2 } from "./support.ts";

const strings = fixture("nano").strings.concat(fixture("smollm2").strings);
const documents = Object.values(
  readJson<{ runs: Record<string, { document: string }> }>("test/fixtures/tokenizer/reading.json").runs,
).map(({ document }) => document);

function inPieces(tokenizer: Tokenizer, text: string, next: () => number): Int32Array {
  const encoder = new StreamEncoder(tokenizer);
  const tokens: number[] = [];
  for (let start = 0; start < text.length; ) {
    const end = start + next();
    tokens.push(...encoder.push(text.slice(start, end)));
    start = end;
  }
  tokens.push(...encoder.flush());
  return Int32Array.from(tokens);
}

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
  ["gpt2", variant(patterns.gpt2)],
  ["llama3", variant(patterns.llama3)],
  ["qwen2", variant(patterns.qwen2, { normalizer: { type: "NFC" } })],
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
  test(`${name}: recorded strings in pieces`, () => {
    const draw = integers(1);
    for (const { name: label, text } of strings) {
      const whole = tokenizer.encode(text);
      assert.equal(
        inPieces(tokenizer, text, () => 1),
        whole,
        label,
      );
      for (const longest of [3, 20])
        assert.equal(
          inPieces(tokenizer, text, () => 1 + draw(longest)),
          whole,
          label,
        );
    }
  });

  test(`${name}: documents in pieces`, () => {
    const draw = integers(2);
    for (const text of documents.slice(0, 3)) {
      const whole = tokenizer.encode(text);
      for (const longest of [5, 300])
        assert.equal(
          inPieces(tokenizer, text, () => 1 + draw(longest)),
          whole,
        );
    }
  });

  test(`${name}: 2,000 random strings`, () => {
    const draw = integers(3);
    for (let round = 0; round < 2000; round++) {
      const text = Array.from({ length: 1 + draw(30) }, () => alphabet[draw(alphabet.length)]).join("");
      assert.equal(
        inPieces(tokenizer, text, () => 1 + draw(4)),
        tokenizer.encode(text),
        JSON.stringify(text),
      );
    }
  });
}

test("tokens come as soon as a word is closed", () => {
  const encoder = new StreamEncoder(small);
  assert.is(encoder.push("The quick").length, small.encode("The").length);
  assert.equal(encoder.push("。"), small.encode(" quick"));
  assert.equal(encoder.flush(), small.encode("。"));
  assert.is(encoder.flush().length, 0);
});

test("what is held back stays small", () => {
  const text = `${documents[0]}${"使用汉语写成的句子，没有空格。".repeat(50)}\n1,2,3\n`.repeat(3);
  const encoder = new StreamEncoder(small);
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

test("a run without a safe cut is linear in time", () => {
  const encoder = new StreamEncoder(small);
  const started = performance.now();
  for (let index = 0; index < 100_000; index++) assert.is(encoder.push("a").length, 0);
  assert.equal(encoder.flush(), small.encode("a".repeat(100_000)));
  assert.ok(performance.now() - started < 10_000);
});

test("an unknown pre-tokenizer holds everything", () => {
  for (const pattern of ["[a-z]+ [a-z]+|[\\s\\S]", patterns.numeral]) {
    const tokenizer = variant(pattern);
    assert.not(tokenizer.cutsAreSafe);
    const text = "one two three four. Five 6 six";
    assert.equal(
      inPieces(tokenizer, text, () => 3),
      tokenizer.encode(text),
    );
  }
});

test("an added token that a cut could split holds everything", () => {
  const added = (content: string, more = {}) =>
    variant(patterns.gpt2, { added_tokens: [{ id: 9000, content, special: false, ...more }] });
  assert.ok(added("\n\n\n").cutsAreSafe);
  assert.not(added("New York").cutsAreSafe);
  assert.not(added("<x>", { rstrip: true }).cutsAreSafe);
  for (const tokenizer of [added("\n\n\n"), added("New York"), added("<x>", { rstrip: true })]) {
    const text = "In New York\n\n\n\n<x>  we\n\n are<x> New Yorkers";
    assert.equal(
      inPieces(tokenizer, text, () => 2),
      tokenizer.encode(text),
    );
  }
});

test.run();
