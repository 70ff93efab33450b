/** What the tokenizer tells of itself, and what it refuses: ids beyond the vocabulary, broken and hostile files. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { ArgumentError, FormatError } from "../../src/errors.ts";
import { StreamDecoder } from "../../src/tokenizer/stream-decoder.ts";
import { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { nano, readJson } from "./support.ts";

const tokenizer = nano();
const isFormatError = (error: unknown) => error instanceof FormatError && error.file === "broken.json";
const isArgumentError = (error: unknown) => error instanceof ArgumentError;

/** A tokenizer.json of a few tokens, with parts replaced. */
function small(changes: Record<string, unknown> = {}, model: Record<string, unknown> = {}): object {
  return {
    added_tokens: [{ id: 4, content: "<end>", special: true }],
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
    decoder: { type: "ByteLevel" },
    model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2, Ġ: 3 }, merges: ["a b"], ...model },
    ...changes,
  };
}

const ids = (tokens: Int32Array) => [...tokens];

test("what nano tells of itself", () => {
  assert.is(tokenizer.vocabularySize, 8192);
  assert.is(tokenizer.bosToken, 0);
  assert.equal(tokenizer.eosTokens, [1]);
  assert.ok(tokenizer.isSpecial(3));
  assert.not(tokenizer.isSpecial(5));
  assert.is(tokenizer.tokenText(225), "Ġ");
  assert.equal([...tokenizer.tokenBytes(225)], [0x20]);
  assert.equal(tokenizer.encode("").length, 0);
  assert.is(tokenizer.decode([]), "");
  assert.is(tokenizer.decode(tokenizer.encode("a \ud800 b")), "a \ufffd b");
  assert.is(tokenizer.decode(new Set([0, 1]), { skipSpecial: true }), "");
});

test("ids outside the vocabulary", () => {
  for (const id of [-1, 8192, 1.5, Number.NaN, 2 ** 32]) {
    assert.throws(() => tokenizer.decode([5, id]), isArgumentError);
    assert.throws(() => tokenizer.tokenText(id), isArgumentError);
    assert.throws(() => tokenizer.tokenBytes(id), isArgumentError);
    assert.throws(() => new StreamDecoder(tokenizer).push(id), isArgumentError);
  }
  assert.throws(() => tokenizer.encode(5 as unknown as string), isArgumentError);
});

test("an id that no token has", () => {
  const sparse = Tokenizer.fromJson(
    small({ added_tokens: [] }, { vocab: { a: 0, b: 9 }, merges: [] }),
    {},
    "sparse.json",
  );
  assert.is(sparse.vocabularySize, 10);
  assert.throws(() => sparse.decode([5]), isArgumentError);
});

test("special tokens in text", () => {
  const tokenizer = Tokenizer.fromJson(small(), {}, "t");
  const encode = (text: string, special: boolean) => ids(tokenizer.encode(text, { special }));
  assert.equal(encode("ab<end>a", true), [2, 4, 0]);
  // The characters of "<end>" are not in this vocabulary.
  assert.equal(encode("ab<end>a", false), [2, 0]);
});

test("a special token is out of reach of plain text even where merges are skipped", () => {
  const json = small({ added_tokens: [{ id: 2, content: "ab", special: true }] }, { ignore_merges: true });
  const tokenizer = Tokenizer.fromJson(json, {}, "t");
  assert.equal(ids(tokenizer.encode("ab", { special: true })), [2]);
  assert.not(ids(tokenizer.encode("ab")).includes(2));
});

test("numerals and white space as the original splits them", () => {
  // Merges across what must be kept apart would show in the ids.
  const vocab = { Ġ: 0, Â: 1, "²": 2, ħ: 3, ĠÂ: 4, "²Â": 5, ï: 6, "»": 7, "¿": 8, Ġï: 9 };
  const merges = ["Ġ Â", "² Â", "Ġ ï"];
  const json = small(
    {
      pre_tokenizer: {
        type: "Sequence",
        pretokenizers: [
          { type: "Digits", individual_digits: true },
          { type: "ByteLevel", add_prefix_space: false },
        ],
      },
      added_tokens: [],
    },
    { vocab, merges },
  );
  const tokenizer = Tokenizer.fromJson(json, {}, "t");
  assert.equal(ids(tokenizer.encode("²²")), [1, 2, 1, 2]);
  // U+FEFF is not white space, whatever JavaScript says: it joins the space before it.
  assert.equal(ids(tokenizer.encode(" \ufeff")), [9, 7, 8]);
});

test("a SentencePiece-like vocabulary", () => {
  const vocab: Record<string, number> = { "<unk>": 0, "▁": 1, h: 2, i: 3, "▁h": 4, "▁hi": 5 };
  for (let byte = 0; byte < 256; byte++) vocab[`<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`] = 6 + byte;
  const json = {
    normalizer: {
      type: "Sequence",
      normalizers: [
        { type: "Prepend", prepend: "▁" },
        { type: "Replace", pattern: { String: " " }, content: "▁" },
      ],
    },
    pre_tokenizer: null,
    decoder: {
      type: "Sequence",
      decoders: [
        { type: "Replace", pattern: { String: "▁" }, content: " " },
        { type: "ByteFallback" },
        { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
      ],
    },
    model: {
      type: "BPE",
      vocab,
      merges: [
        ["▁", "h"],
        ["▁h", "i"],
      ],
      byte_fallback: true,
      unk_token: "<unk>",
      fuse_unk: true,
    },
  };
  const tokenizer = Tokenizer.fromJson(json, {}, "t");
  const text = "hi hi é\n";
  const tokens = tokenizer.encode(text);
  assert.equal(ids(tokens), [5, 5, 1, 6 + 0xc3, 6 + 0xa9, 6 + 10]);
  assert.is(tokenizer.decode(tokens), text);
  assert.is(tokenizer.decode(tokens.subarray(1)), "hi é\n");
});

const nanoJson = readJson<Record<string, unknown>>("models/nano/tokenizer.json");
const broken: [string, unknown][] = [
  ["null", null],
  ["a list", []],
  ["nothing in it", {}],
  ["no model", small({ model: undefined })],
  ["model a string", small({ model: "BPE" })],
  ["another model", small({}, { type: "WordPiece" })],
  ["no vocabulary", small({}, { vocab: undefined })],
  ["empty vocabulary", small({ added_tokens: [] }, { vocab: {}, merges: [] })],
  ["vocabulary a list", small({}, { vocab: [["a", 0]] })],
  ["ids twice", small({}, { vocab: { a: 0, b: 0 } })],
  ["added id twice", small({ added_tokens: [{ id: 1, content: "<x>" }] })],
  [
    "added token twice",
    small({
      added_tokens: [
        { id: 8, content: "<x>" },
        { id: 9, content: "<x>" },
      ],
    }),
  ],
  ["token with two ids", small({ added_tokens: [{ id: 9, content: "ab" }] })],
  ["id a string", small({}, { vocab: { a: "0" } })],
  ["id negative", small({}, { vocab: { a: -1 } })],
  ["id a fraction", small({}, { vocab: { a: 0.5 } })],
  ["id enormous", small({}, { vocab: { a: 2 ** 31 } })],
  ["added id missing", small({ added_tokens: [{ content: "<x>" }] })],
  ["added content missing", small({ added_tokens: [{ id: 9 }] })],
  ["added tokens an object", small({ added_tokens: {} })],
  ["added token null", small({ added_tokens: [null] })],
  ["no merges", small({}, { merges: undefined })],
  ["merge of one", small({}, { merges: ["ab"] })],
  ["merge of three", small({}, { merges: ["a b a"] })],
  ["merge a number", small({}, { merges: [1] })],
  ["merges of two kinds", small({}, { merges: ["a b", ["a", "b"]] })],
  ["pre-tokenizer a string", small({ pre_tokenizer: "ByteLevel" })],
  ["pre-tokenizer without type", small({ pre_tokenizer: {} })],
  ["unknown pre-tokenizer", small({ pre_tokenizer: { type: "Magic" } })],
  ["sequence without list", small({ pre_tokenizer: { type: "Sequence" } })],
  ["sequence of nulls", small({ pre_tokenizer: { type: "Sequence", pretokenizers: [null] } })],
  ["split without pattern", small({ pre_tokenizer: { type: "Split", behavior: "Isolated" } })],
  [
    "split by a broken pattern",
    small({ pre_tokenizer: { type: "Split", behavior: "Isolated", pattern: { Regex: "(" } } }),
  ],
  ["split behaviour", small({ pre_tokenizer: { type: "Split", behavior: "Magic", pattern: { Regex: "a" } } })],
  ["unknown normalizer", small({ normalizer: { type: "Magic" } })],
  ["no decoder", small({ decoder: null })],
  ["unknown decoder", small({ decoder: { type: "WordPiece" } })],
  ["decoder of nulls", small({ decoder: { type: "Sequence", decoders: [null] } })],
];
for (const key of ["model", "decoder"]) broken.push([`nano without ${key}`, { ...nanoJson, [key]: undefined }]);
for (const [name, json] of broken)
  test(`refused: ${name}`, () => {
    assert.throws(() => Tokenizer.fromJson(json as object, {}, "broken.json"), isFormatError);
  });

const gguf: Record<string, unknown> = {
  "tokenizer.ggml.model": "gpt2",
  "tokenizer.ggml.pre": "gpt-2",
  "tokenizer.ggml.tokens": ["a", "b", "ab", "<|im_end|>", "<more>"],
  "tokenizer.ggml.token_type": [1, 1, 1, 3, 4],
  "tokenizer.ggml.merges": ["a b"],
  "tokenizer.ggml.bos_token_id": 0n,
  "tokenizer.ggml.eos_token_id": 1,
};
const fromGguf = (changes: Record<string, unknown>) => {
  const metadata = new Map(Object.entries({ ...gguf, ...changes }));
  return Tokenizer.fromGguf((key) => metadata.get(key), "broken.json");
};

test("a GGUF's vocabulary", () => {
  const tokenizer = fromGguf({});
  assert.is(tokenizer.bosToken, 0);
  assert.equal(tokenizer.eosTokens, [1, 3]);
  assert.ok(tokenizer.isSpecial(3));
  assert.not(tokenizer.isSpecial(4));
  assert.equal(ids(tokenizer.encode("ab<|im_end|><more>", { special: true })), [2, 3, 4]);
  assert.equal(ids(tokenizer.encode("ab<|im_end|><more>")), [2, 4]);
  assert.is(tokenizer.chatTemplate, undefined);
});

test("the pre-tokenizers a GGUF can name", () => {
  const tokens = ["1", "2", "3", "4", "12", "123", "1234", "a", "aa", "Ã", "©", "Ã©", "e", "Ì", "ģ"];
  const merges = ["1 2", "12 3", "123 4", "Ã ©"];
  const encoded = (pre: string, text: string) => {
    const changes = {
      "tokenizer.ggml.pre": pre,
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.token_type": undefined,
    };
    return ids(fromGguf({ ...changes, "tokenizer.ggml.merges": merges }).encode(text));
  };
  assert.equal(encoded("gpt-2", "1234"), [6]);
  for (const pre of ["default", "", "llama-bpe"]) assert.equal(encoded(pre, "1234"), [5, 3]);
  for (const pre of ["smollm", "qwen2"]) assert.equal(encoded(pre, "1234"), [0, 1, 2, 3]);
  // Llama 3 takes a whole entry before any merge; llama.cpp composes no characters, whatever the model.
  assert.equal(encoded("llama-bpe", "aa"), [8]);
  assert.equal(encoded("qwen2", "aa"), [7, 7]);
  for (const pre of ["qwen2", "llama-bpe"]) assert.equal(encoded(pre, "e\u0301"), [12, 13, 14]);
});

for (const [name, changes] of Object.entries({
  "no model": { "tokenizer.ggml.model": undefined },
  "SentencePiece without scores": { "tokenizer.ggml.model": "llama" },
  "scores too few": { "tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": [1] },
  "scores that are none": { "tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": [1, 2, 3, 4, Number.NaN] },
  "SentencePiece without bytes": { "tokenizer.ggml.model": "llama", "tokenizer.ggml.scores": [1, 2, 3, 4, 5] },
  "another model": { "tokenizer.ggml.model": "bert" },
  "a pre-tokenizer that is no text": { "tokenizer.ggml.pre": 5 },
  "unknown pre-tokenizer": { "tokenizer.ggml.pre": "magic" },
  "no tokens": { "tokenizer.ggml.tokens": undefined },
  "tokens of two types": { "tokenizer.ggml.tokens": ["a", 1] },
  "token twice": { "tokenizer.ggml.tokens": ["a", "a", "c", "d", "e"] },
  "no merges": { "tokenizer.ggml.merges": undefined },
  "merge of one": { "tokenizer.ggml.merges": ["ab"] },
  "types too few": { "tokenizer.ggml.token_type": [1] },
  "types a number": { "tokenizer.ggml.token_type": 1 },
  "end of wrong type": { "tokenizer.ggml.eos_token_id": "x" },
}))
  test(`refused GGUF: ${name}`, () => {
    assert.throws(() => fromGguf(changes), isFormatError);
  });

test.run();
