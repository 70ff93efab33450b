/** Encoding as other implementations do it: Hugging Face tokenizers over all of their steps, llama.cpp, SentencePiece. */
import { test } from "uvu";
import * as assert from "uvu/assert";
import { Tokenizer } from "../../src/tokenizer/tokenizer.ts";
import { integers } from "../support/random.ts";
import { inPieces, readPacked } from "./support.ts";

const draw = integers(7);

/** Whole, and in pieces of one to four units. */
function assertEncodes(tokenizer: Tokenizer, text: string, ids: readonly number[]): void {
  assert.equal([...tokenizer.encode(text)], ids, JSON.stringify(text));
  assert.equal(
    inPieces(tokenizer, text, () => 1 + draw(4)),
    ids,
    `in pieces: ${JSON.stringify(text)}`,
  );
}

const fromMetadata = (metadata: Record<string, unknown>): Tokenizer => {
  const values = new Map(Object.entries(metadata));
  return Tokenizer.fromGguf((key) => values.get(key), "recorded.gguf");
};

interface Case {
  name: string;
  encode?: { text: string; ids: number[] }[];
  tokenizer?: object;
  config?: object;
  gguf?: Record<string, unknown>;
}

for (const { name, encode, tokenizer, config, gguf } of readPacked<Case[]>("cases")) {
  if (!encode) continue;
  test(`a file that people bring: ${name}`, () => {
    const read = gguf ? fromMetadata(gguf) : Tokenizer.fromJson(tokenizer!, config!, "tokenizer.json");
    for (const { text, ids } of encode) assertEncodes(read, text, ids);
  });
}

interface Steps {
  bases: { vocab: string[]; merges: (string | [string, string])[] }[];
  texts: string[];
  sets: {
    base: number;
    flags: object;
    normalizer: { type: string } | null;
    pre_tokenizer: { type: string } | null;
    added_tokens: object[];
    texts: number[];
    ids: number[][];
  }[];
}

const { bases, texts, sets } = readPacked<Steps>("steps");
for (const [index, { base, flags, normalizer, pre_tokenizer, added_tokens, texts: chosen, ids }] of sets.entries()) {
  test(`steps ${index}: ${normalizer?.type ?? "none"}, ${pre_tokenizer?.type ?? "none"}`, () => {
    const { vocab, merges } = bases[base]!;
    const pairs = merges.map((merge) => (typeof merge === "string" ? merge.split(" ") : merge));
    const model = {
      type: "BPE",
      ...flags,
      vocab: Object.fromEntries(vocab.map((token, id) => [token, id])),
      merges: pairs,
    };
    const json = { normalizer, pre_tokenizer, added_tokens, decoder: { type: "ByteLevel" }, model };
    const tokenizer = Tokenizer.fromJson(json, {}, "tokenizer.json");
    for (const [place, text] of chosen.entries()) assertEncodes(tokenizer, texts[text]!, ids[place]!);
  });
}

for (const [index, { tokenizer, cases }] of readPacked<{ tokenizer: object; cases: [string, number[]][] }[]>(
  "unigram",
).entries()) {
  test(`unigram ${index}`, () => {
    const unigram = Tokenizer.fromJson(tokenizer, {}, "tokenizer.json");
    for (const [text, ids] of cases) assertEncodes(unigram, text, ids);
  });
}

interface LlamaCpp {
  bytes: { tokens: string[]; merges: string[] };
  characters: { tokens: string[]; merges: string[] };
  texts: string[];
  ids: { over: "bytes" | "characters"; ids: number[][] }[];
  names: Record<string, number>;
}

const recorded = readPacked<LlamaCpp>("llama-cpp");
for (const [pre, kind] of Object.entries(recorded.names)) {
  test(`llama.cpp's pre-tokenizer ${pre}`, () => {
    const { over, ids } = recorded.ids[kind]!;
    const { tokens, merges } = recorded[over];
    const tokenizer = fromMetadata({
      "tokenizer.ggml.model": "gpt2",
      "tokenizer.ggml.pre": pre === "(none)" ? undefined : pre,
      "tokenizer.ggml.tokens": tokens,
      "tokenizer.ggml.merges": merges,
      "tokenizer.ggml.token_type": tokens.map((token) => (/^<0x/.test(token) ? 6 : 1)),
    });
    for (const [index, text] of recorded.texts.entries()) assertEncodes(tokenizer, text, ids[index]!);
  });
}

interface Kind {
  name: string;
  metadata: Record<string, unknown>;
  texts: string[];
  ids: number[][];
  sentencepiece?: number[][];
}

for (const { name, metadata, texts, ids, sentencepiece } of readPacked<Kind[]>("llama-cpp-kinds")) {
  test(`llama.cpp's vocabularies: ${name}`, () => {
    const tokenizer = fromMetadata(metadata);
    for (const [index, text] of texts.entries()) assertEncodes(tokenizer, text, ids[index]!);
    if (sentencepiece) assert.equal(ids, sentencepiece);
  });
}

test.run();
