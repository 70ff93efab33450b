/** A GGUF's vocabulary as the tokenizer.json it was made from. */
import { FormatError } from "../errors.ts";
import { isGgufEnd } from "./end-tokens.ts";
import { type Component, isolate, patterns, spellBytes } from "./splitting.ts";

// GGUF's token types (llama.cpp's enum llama_token_type).
const controlToken = 3;
const userDefinedToken = 4;

interface PreTokenizer {
  steps: readonly string[];
  normalizer?: Component;
  ignoreMerges?: boolean;
}

const gpt2: PreTokenizer = { steps: [patterns.gpt2] };
const smollm: PreTokenizer = { steps: [patterns.numeral, patterns.gpt2] };
const llama3: PreTokenizer = { steps: [patterns.llama3], ignoreMerges: true };
const qwen2: PreTokenizer = { steps: [patterns.qwen2], normalizer: { type: "NFC" } };

// What the names in tokenizer.ggml.pre stand for, after the tokenizer.json files of the models that brought them.
const preTokenizers = new Map([
  ["default", gpt2],
  ["gpt-2", gpt2],
  ["smollm", smollm],
  ["llama-bpe", llama3],
  ["qwen2", qwen2],
]);

/**
 * The tokenizer.json that a GGUF's metadata stand for, to be checked like any other.
 *
 * @param metadata gives the value of a metadata key, or undefined
 * @param name the file's name, for errors
 * @throws FormatError when the vocabulary is missing, of a kind other than byte-level BPE, or with a pre-tokenizer that is not known
 */
export function ggufVocabulary(metadata: (key: string) => unknown, name: string): object {
  const value = (key: string) => metadata(`tokenizer.ggml.${key}`);
  const fail = (fault: string): never => {
    throw new FormatError(name, fault);
  };
  const kind = value("model");
  if (kind === "llama")
    return fail(
      'the vocabulary is of kind "llama" (SentencePiece), which is read from a tokenizer.json only; use a folder with that file',
    );
  if (kind !== "gpt2")
    return fail(
      `the vocabulary kind ${JSON.stringify(kind ?? null)} is not supported, only "gpt2" (byte-level BPE) is`,
    );
  const pre = value("pre");
  const preTokenizer = preTokenizers.get(pre as string);
  if (!preTokenizer)
    return fail(
      `the pre-tokenizer ${JSON.stringify(pre ?? null)} is not known; known are ${[...preTokenizers.keys()].join(", ")}`,
    );

  const tokens = value("tokens");
  if (!Array.isArray(tokens) || !tokens.every((token) => typeof token === "string"))
    return fail("tokenizer.ggml.tokens is not a list of strings");
  const merges = value("merges");
  if (!Array.isArray(merges)) return fail("tokenizer.ggml.merges is not a list");
  const types = (value("token_type") ?? []) as ArrayLike<unknown>;
  if (typeof types !== "object" || (types.length !== 0 && types.length !== tokens.length))
    return fail("tokenizer.ggml.token_type does not have one entry for each token");

  const vocab: Record<string, number> = Object.create(null);
  const addedTokens: object[] = [];
  tokens.forEach((content: string, id) => {
    if (content in vocab) fail(`the token ${JSON.stringify(content)} has two ids, ${vocab[content]} and ${id}`);
    vocab[content] = id;
    const type = Number(types[id]);
    // llama.cpp takes these for control tokens whatever the file says.
    const isControl = type === controlToken || isGgufEnd(content);
    if (isControl || type === userDefinedToken) addedTokens.push({ id, content, special: isControl });
  });
  return {
    normalizer: preTokenizer.normalizer ?? null,
    pre_tokenizer: { type: "Sequence", pretokenizers: [...preTokenizer.steps.map(isolate), spellBytes] },
    decoder: { type: "ByteLevel" },
    added_tokens: addedTokens,
    model: { type: "BPE", vocab, merges, ignore_merges: preTokenizer.ignoreMerges ?? false },
  };
}
