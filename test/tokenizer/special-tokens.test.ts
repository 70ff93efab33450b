/** Which tokens begin a document and end an answer, from every file that says so, and what templates are given of them. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { FormatError } from "../../src/errors.ts";
import { PromptFrame } from "../../src/tokenizer/prompt-frame.ts";
import type { TokenizerFiles } from "../../src/tokenizer/special-tokens.ts";
import { Tokenizer } from "../../src/tokenizer/tokenizer.ts";

const special = ["<s>", "<|im_end|>", "<end>", "<|user|>", "<|end|>"];

/** A vocabulary of three letters and of special tokens from 3 on. */
const vocabulary = {
  added_tokens: special.map((content, index) => ({ id: 3 + index, content, special: true })),
  pre_tokenizer: { type: "ByteLevel", add_prefix_space: false, use_regex: true },
  decoder: { type: "ByteLevel" },
  model: { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: ["a b"] },
};
const folder = (files: TokenizerFiles) => Tokenizer.fromJson(vocabulary, files, "broken.json");
const isFormatError = (error: unknown) => error instanceof FormatError && error.file === "broken.json";
const fast = { tokenizer_class: "PreTrainedTokenizerFast" };
const named = "{{ bos_token }}|{{ eos_token }}|{{ unk_token }}|{{ pad_token is defined }}{{ image_token is defined }}";

/** The begin token and what a template that writes the special tokens gives; expected values from transformers 5.24. */
const known: [name: string, files: TokenizerFiles, bos: number | undefined, text: string][] = [
  ["nothing said", { tokenizerConfig: fast }, undefined, "|||FalseFalse"],
  [
    "the tokenizer's own token, not the id in config.json",
    { tokenizerConfig: { ...fast, bos_token: "<s>" }, config: { bos_token_id: 0, eos_token_id: 1 } },
    3,
    "<s>|||FalseFalse",
  ],
  [
    "null is none, whatever config.json says",
    { tokenizerConfig: { ...fast, bos_token: null }, config: { bos_token_id: 3 } },
    undefined,
    "|||FalseFalse",
  ],
  [
    "a token beyond the vocabulary",
    { tokenizerConfig: { ...fast, bos_token: "<zzz>" } },
    undefined,
    "<zzz>|||FalseFalse",
  ],
  ["a token of the model's own", { tokenizerConfig: { ...fast, bos_token: "ab" } }, 2, "ab|||FalseFalse"],
  [
    "an object",
    { tokenizerConfig: { ...fast, bos_token: { __type: "AddedToken", content: "<s>" } } },
    3,
    "<s>|||FalseFalse",
  ],
  [
    "special_tokens_map.json counts before tokenizer_config.json",
    {
      tokenizerConfig: { ...fast, bos_token: "<s>" },
      specialTokensMap: { bos_token: "<|user|>", eos_token: { content: "<end>" } },
    },
    6,
    "<|user|>|<end>||FalseFalse",
  ],
  [
    "unless tokenizer_config.json lists all added tokens",
    {
      tokenizerConfig: { ...fast, bos_token: "<s>", added_tokens_decoder: {} },
      specialTokensMap: { bos_token: "<|user|>", eos_token: "<end>" },
    },
    3,
    "<s>|||FalseFalse",
  ],
  [
    "tokens of the model's own kind",
    {
      tokenizerConfig: {
        ...fast,
        image_token: "<img>",
        extra_special_tokens: { pad_token: "<p>" },
        add_bos_token: true,
      },
    },
    undefined,
    "|||TrueTrue",
  ],
  [
    "defaults of a class",
    { tokenizerConfig: { tokenizer_class: "Qwen2TokenizerFast" } },
    undefined,
    "|<|endoftext|>|<|endoftext|>|TrueFalse",
  ],
];

for (const [name, files, bos, text] of known)
  test(`begin token and names: ${name}`, () => {
    const tokenizer = folder({ ...files, chatTemplates: new Map([["default", named]]) });
    assert.is(tokenizer.bosToken, bos);
    assert.is(tokenizer.chatTemplate!.render([{ role: "user", content: "" }]), text);
  });

test("where no tokenizer file says anything, the ids of the configuration count", () => {
  const chatTemplates = new Map([["default", named]]);
  const tokenizer = folder({ config: { bos_token_id: 3, eos_token_id: [5, 1] }, chatTemplates });
  assert.is(tokenizer.bosToken, 3);
  assert.is(tokenizer.chatTemplate!.render([{ role: "user", content: "" }]), "<s>|<end>||FalseFalse");
  assert.is(folder({ config: { bos_token_id: 3 }, generationConfig: { bos_token_id: 6 } }).bosToken, 6);
  assert.is(folder({ config: { bos_token_id: 3000 } }).bosToken, undefined);
});

test("ends of an answer", () => {
  const ends = (files: TokenizerFiles) => folder(files).eosTokens;
  // <|im_end|> ends a turn of every model that has it; <|end|> only where a file says so.
  assert.equal(ends({}), [4]);
  assert.equal(ends({ config: { eos_token_id: [5, 1] } }), [1, 4, 5]);
  assert.equal(ends({ config: { eos_token_id: 5 }, generationConfig: { eos_token_id: [7, 0] } }), [0, 4, 7]);
  assert.equal(ends({ generationConfig: { eos_token_id: null }, config: { eos_token_id: 1 } }), [1, 4]);
  assert.equal(ends({ tokenizerConfig: { eos_token: { content: "<end>" } } }), [4, 5]);
  assert.equal(ends({ tokenizerConfig: { eos_token: "ab" }, config: { eos_token_id: null } }), [2, 4]);
  assert.equal(ends({ specialTokensMap: { eos_token: "<end>" } }), [4, 5]);
  // A model's table may be longer than its tokenizer's.
  assert.equal(ends({ config: { eos_token_id: 30n } }), [4, 30]);
  for (const none of [-1, 4294967295, [-1], []]) assert.equal(ends({ config: { eos_token_id: none } }), [4]);
});

test("ids and tokens that are none", () => {
  let deep: unknown = [];
  for (let level = 0; level < 5000; level++) deep = [deep];
  const bad = ["1", 0.5, -2, {}, { toString: 1, valueOf: 1 }, true, [null], ["1"], [[1]], [0.5], deep, 2 ** 60];
  for (const id of bad) {
    assert.throws(() => folder({ config: { eos_token_id: id } }), isFormatError);
    if (!Array.isArray(id)) assert.throws(() => folder({ generationConfig: { bos_token_id: id } }), isFormatError);
    assert.throws(() => folder({ tokenizerConfig: fast, config: { bos_token_id: [id] } }), isFormatError);
  }
  for (const token of [5, {}, ["<s>"], { content: 1 }, true])
    assert.throws(() => folder({ tokenizerConfig: { bos_token: token } }), isFormatError);
});

test("what stands before a document without a template", () => {
  const bos_token = "<s>";
  const head = (tokenizerConfig: TokenizerFiles["tokenizerConfig"]) => {
    const tokenizer = folder({ tokenizerConfig });
    return [...new PromptFrame(tokenizer.chatTemplate, tokenizer).head];
  };
  assert.equal(head({ bos_token }), [3]);
  assert.equal(head({ bos_token, add_bos_token: true }), [3]);
  assert.equal(head({ bos_token, add_bos_token: false }), []);
  assert.equal(head({}), []);
});

test("where templates come from", () => {
  const render = (files: TokenizerFiles, options = {}) =>
    folder(files).chatTemplate?.render([{ role: "user", content: "" }], options);
  const config = (chat_template: unknown) => ({ tokenizerConfig: { chat_template } });
  const list = ["default", "tool_use"].map((name) => ({ name, template: name }));
  assert.is(folder(config(undefined)).chatTemplate, undefined);
  assert.is(folder(config(null)).chatTemplate, undefined);
  assert.is(render(config("x")), "x");
  assert.is(render(config(list)), "default");
  assert.is(render(config(list), { tools: [] }), "tool_use");
  assert.is(render(config({ default: "d", rag: "r" }), { template: "rag" }), "r");
  // Files of their own count before, and instead of, those of tokenizer_config.json.
  const chatTemplates = new Map([["rag", "R"]]);
  assert.is(render({ ...config(list), chatTemplates }, { template: "rag" }), "R");
  assert.throws(() => render({ ...config(list), chatTemplates }), isFormatError);
  // What is no template is said when it is used.
  for (const field of [5, [], {}, [null], [{ name: "other", template: "x" }], [{ name: "default" }], "{% if %}"])
    assert.throws(() => render(config(field)), isFormatError);
});

const tokens = ["a", "b", "ab", ...special, "<|eot_id|>", "<more>", "</s>", "<|fim_pad|>", "<PAD>", "<|file_sep|>"];
const gguf = (changes: Record<string, unknown>, added: readonly string[] = [], types?: readonly number[]) => {
  const all = [...tokens, ...added];
  const metadata = new Map<string, unknown>(
    Object.entries({
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": "gpt-2",
      "tokenizer.ggml.tokens": all,
      "tokenizer.ggml.token_type": types ?? all.map(() => 1),
      "tokenizer.ggml.merges": ["a b"],
      ...changes,
    }),
  );
  return Tokenizer.fromGguf((key) => metadata.get(key), "broken.json");
};

test("ends of an answer in a GGUF: llama.cpp's, whatever their type", () => {
  // Of the spellings of a padding token only one counts.
  assert.equal(gguf({}).eosTokens, [4, 7, 8, 10, 11, 13]);
  const types = tokens.map((_, index) => (index < 3 ? 1 : index % 2 ? 3 : 4));
  assert.equal(gguf({}, [], types).eosTokens, [4, 7, 8, 10, 11, 13]);
  const ids = {
    "tokenizer.ggml.eos_token_id": 5,
    "tokenizer.ggml.eot_token_id": 0n,
    "tokenizer.ggml.fim_pad_token_id": 12,
  };
  assert.equal(gguf(ids).eosTokens, [0, 4, 5, 7, 8, 10, 12, 13]);
  for (const none of [4294967295, -1, 4294967295n, 5000])
    assert.equal(gguf({ "tokenizer.ggml.eos_token_id": none }).eosTokens, [4, 7, 8, 10, 11, 13]);
  // Where a message has several parts <|end|> ends one of them, and </s> where a tool answers.
  assert.equal(gguf({}, ["<|return|>", "<|call|>"]).eosTokens, [4, 8, 10, 11, 13, 14, 15]);
  assert.equal(gguf({}, ["<|calls|>", "<|flush|>"]).eosTokens, [4, 8, 10, 11, 13, 14, 15]);
  assert.equal(gguf({}, ["<|tool_response>", "<eos>"]).eosTokens, [4, 7, 8, 11, 13, 14, 15]);
  for (const id of ["5", 0.5, -2, [5], {}])
    for (const key of ["eos_token_id", "bos_token_id", "fim_sep_token_id"])
      assert.throws(() => gguf({ [`tokenizer.ggml.${key}`]: id }), isFormatError);
});

test("an end token is out of reach of plain text, whatever its type", () => {
  const tokenizer = gguf({});
  assert.equal([...tokenizer.encode("ab<|eot_id|>", { special: true })], [2, 8]);
  assert.equal([...tokenizer.encode("ab<|eot_id|>")].includes(8), false);
  assert.ok(tokenizer.isSpecial(8));
  assert.not(tokenizer.isSpecial(9));
});

test("the begin token of a GGUF", () => {
  const key = "tokenizer.ggml.bos_token_id";
  assert.is(gguf({}).bosToken, undefined);
  for (const none of [4294967295, -1, 5000]) assert.is(gguf({ [key]: none }).bosToken, undefined);
  assert.is(gguf({ [key]: 3n }).bosToken, 3);
  const start = (changes: object) => gguf({ [key]: 3, ...changes }).documentStart;
  assert.equal(start({ "tokenizer.ggml.add_bos_token": true }), [3]);
  assert.equal(start({ "tokenizer.ggml.add_bos_token": false, "tokenizer.ggml.pre": "llama-bpe" }), []);
  // What llama.cpp does where the file does not say.
  assert.equal(start({}), []);
  assert.equal(start({ "tokenizer.ggml.pre": "llama-bpe" }), [3]);
});

test("templates of a GGUF", () => {
  const render = (changes: object, options = {}) =>
    gguf({ "tokenizer.ggml.bos_token_id": 3, ...changes }).chatTemplate?.render(
      [{ role: "user", content: "x" }],
      options,
    );
  assert.is(render({}), undefined);
  assert.is(render({ "tokenizer.chat_template": "{{ bos_token }}|{{ eos_token }}" }), "<s>|");
  const several = {
    "tokenizer.chat_template": "d",
    "tokenizer.chat_templates": ["tool_use", "missing", 5],
    "tokenizer.chat_template.tool_use": "t",
  };
  assert.is(render(several), "d");
  assert.is(render(several, { tools: [] }), "t");
  assert.throws(() => render({ "tokenizer.chat_template": 1 }), isFormatError);
});

test.run();
