/** What the files of a model say about its special tokens: which begins a document, which end an answer, how templates name them. */
import { FormatError } from "../errors.ts";
import { show } from "../show.ts";
import { ChatTemplate } from "./chat-template.ts";
import { ggufEndKeys, ggufEndTokens, turnEnds } from "./end-tokens.ts";

/** The parsed files beside a tokenizer.json. */
export interface TokenizerFiles {
  readonly config?: Readonly<Record<string, unknown>> | undefined;
  readonly generationConfig?: Readonly<Record<string, unknown>> | undefined;
  readonly tokenizerConfig?: Readonly<Record<string, unknown>> | undefined;
  readonly specialTokensMap?: Readonly<Record<string, unknown>> | undefined;
  /** templates by name from files of their own, which count before those of tokenizer_config.json */
  readonly chatTemplates?: ReadonlyMap<string, string> | undefined;
}

/** What `Tokenizer` takes from the files around a vocabulary. */
export interface SpecialTokens {
  readonly bosToken: number | undefined;
  /** Whether a document that stands at the very beginning is preceded by the begin token where no template says so. */
  readonly addsBosToken: boolean;
  /** ascending */
  readonly eosTokens: readonly number[];
  readonly chatTemplate: ChatTemplate | undefined;
}

/** What can be asked of a vocabulary. */
export interface TokenLookup {
  readonly size: number;
  /** The id of a whole token. */
  idOf(content: string): number | undefined;
  contentOf(id: number): string | undefined;
  /** All tokens that are matched as a whole. */
  readonly added: Iterable<{ readonly id: number; readonly content: string; readonly special: boolean }>;
}

/** The names that transformers has for special tokens. */
const tokenNames = ["bos", "eos", "unk", "sep", "pad", "cls", "mask"].map((name) => `${name}_token`);

/** Special tokens that transformers gives tokenizers of some classes whose files say nothing of them. */
const classDefaults: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  LlamaTokenizer: { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" },
  GPT2Tokenizer: { bos_token: "<|endoftext|>", eos_token: "<|endoftext|>", unk_token: "<|endoftext|>" },
  Qwen2Tokenizer: { eos_token: "<|endoftext|>", unk_token: "<|endoftext|>", pad_token: "<|endoftext|>" },
  GemmaTokenizer: {
    bos_token: "<bos>",
    eos_token: "<eos>",
    unk_token: "<unk>",
    pad_token: "<pad>",
    mask_token: "<mask>",
  },
};

/** -1, as it is and as GGUFs write it, stands for no token. */
const isNone = (id: number) => id === -1 || id === 0xffff_ffff;

/**
 * A token id as files write it.
 * @returns undefined where there is none
 * @throws FormatError for what is no id
 */
function checkedId(value: unknown, key: string, file: string): number | undefined {
  if (value === undefined || value === null) return undefined;
  const id = typeof value === "bigint" ? Number(value) : value;
  if (typeof id !== "number" || !Number.isSafeInteger(id) || (id < 0 && !isNone(id)))
    throw new FormatError(file, `${key} should be a token id and is ${show(value)}`);
  return isNone(id) ? undefined : id;
}

/**
 * The special tokens of a folder of files, as transformers finds them. The tokenizer's own files count before the ids in config.json
 * and generation_config.json, which say what a document begins with only where there are no others.
 * @param name the file's name, for errors
 * @throws FormatError for ids and tokens that are none
 */
export function folderSpecialTokens(files: TokenizerFiles, tokens: TokenLookup, name: string): SpecialTokens {
  const { config = {}, generationConfig = {}, tokenizerConfig, specialTokensMap } = files;
  const own = ownTokens(tokenizerConfig, specialTokensMap);
  const names: Record<string, string> = {};
  for (const [key, value] of Object.entries(own)) {
    if (value === null || value === undefined) continue;
    const content = typeof value === "object" && "content" in value ? value.content : value;
    if (typeof content === "string") names[key] = content;
    else if (tokenNames.includes(key)) throw new FormatError(name, `${key} should be a token and is ${show(value)}`);
  }
  const isSilent = tokenizerConfig === undefined && specialTokensMap === undefined;

  // Ids are checked whether or not they count.
  const bosId = [generationConfig, config].map((file) => checkedId(file.bos_token_id, "bos_token_id", name));
  let bosToken = names.bos_token === undefined ? undefined : tokens.idOf(names.bos_token);
  if (isSilent) bosToken = bosId.find((id) => id !== undefined && id < tokens.size);

  const ends = endIds(generationConfig.eos_token_id ?? config.eos_token_id, name);
  for (const { id, content, special } of tokens.added) if (special && turnEnds.has(content)) ends.push(id);
  const eosToken = names.eos_token === undefined ? undefined : tokens.idOf(names.eos_token);
  if (eosToken !== undefined) ends.push(eosToken);

  if (isSilent) {
    const spelled = { bos_token: bosToken, eos_token: ends[0] };
    for (const [key, id] of Object.entries(spelled)) {
      const content = id === undefined ? undefined : tokens.contentOf(id);
      if (content !== undefined) names[key] = content;
    }
  }
  return {
    bosToken,
    addsBosToken: tokenizerConfig?.add_bos_token !== false,
    eosTokens: ascending(ends),
    chatTemplate: chatTemplate(files.chatTemplates ?? namedTemplates(tokenizerConfig?.chat_template), names, name),
  };
}

/** The ids of a field that holds one or several. */
function endIds(field: unknown, file: string): number[] {
  const ids: number[] = [];
  for (const item of Array.isArray(field) ? field : [field]) {
    if (item === null && Array.isArray(field)) throw new FormatError(file, "eos_token_id has a place that is null");
    const id = checkedId(item, "eos_token_id", file);
    if (id !== undefined) ids.push(id);
  }
  return ids;
}

/** The tokens that a tokenizer's own files name, in the order in which transformers lets them count. */
function ownTokens(
  tokenizerConfig: Readonly<Record<string, unknown>> = {},
  specialTokensMap: Readonly<Record<string, unknown>> = {},
): Record<string, unknown> {
  const isNamed = ([key, value]: [string, unknown]) =>
    tokenNames.includes(key) || (key.endsWith("_token") && typeof value !== "boolean");
  // A tokenizer_config.json that lists all added tokens is of the newer kind, beside which the map does not count.
  const map = tokenizerConfig.added_tokens_decoder === undefined ? specialTokensMap : {};
  const family = String(typeof tokenizerConfig.tokenizer_class === "string" ? tokenizerConfig.tokenizer_class : "");
  const extra = [tokenizerConfig, map].map(({ extra_special_tokens: tokens }) =>
    typeof tokens === "object" && tokens !== null && !Array.isArray(tokens) ? tokens : {},
  );
  return {
    ...classDefaults[family.replace(/Fast$/, "")],
    ...Object.fromEntries(Object.entries(tokenizerConfig).filter(isNamed)),
    ...extra[0],
    ...Object.fromEntries(Object.entries(map).filter(isNamed)),
    ...extra[1],
  };
}

/** The templates of a field that holds one, a list of named ones, or an object of them; undefined where there is none. */
function namedTemplates(field: unknown): ReadonlyMap<string, unknown> | undefined {
  if (field === undefined || field === null) return undefined;
  if (Array.isArray(field))
    return new Map(
      field.filter((entry) => typeof entry?.name === "string").map(({ name, template }) => [name, template]),
    );
  return typeof field === "object" ? new Map(Object.entries(field)) : new Map([["default", field]]);
}

function chatTemplate(
  sources: ReadonlyMap<string, unknown> | undefined,
  names: Readonly<Record<string, string>>,
  file: string,
): ChatTemplate | undefined {
  return sources && new ChatTemplate(sources, names, file);
}

const ascending = (ids: Iterable<number>) => [...new Set(ids)].sort((a, b) => a - b);

// Vocabularies of these kinds begin every text with the begin token, as far as llama.cpp knows; a key may say otherwise.
const beginning: ReadonlySet<unknown> = new Set([
  "llama3",
  "llama-v3",
  "llama-bpe",
  "falcon3",
  "falcon-h1",
  "pixtral",
  "midm-2.0",
  "lfm2",
  "jina-v5-nano",
  "tekken",
  "chameleon",
]);

/**
 * The special tokens of a GGUF, as llama.cpp finds them; ids beyond the vocabulary stand for none there.
 * @param metadata gives the value of a metadata key, or undefined
 * @param name the file's name, for errors
 * @throws FormatError for ids that are none
 */
export function ggufSpecialTokens(
  metadata: (key: string) => unknown,
  tokens: TokenLookup,
  name: string,
): SpecialTokens {
  const value = (key: string) => metadata(`tokenizer.ggml.${key}`);
  const isSentencePiece = value("model") === "llama";
  const idOf = (key: string, otherwise?: number) => {
    const given = value(key);
    const id = given === undefined ? otherwise : checkedId(given, key, name);
    return id !== undefined && id < tokens.size ? id : undefined;
  };
  const bosToken = idOf("bos_token_id", isSentencePiece ? 1 : undefined);
  const keys = new Map<string, number>();
  for (const key of ggufEndKeys) {
    const id = idOf(key, isSentencePiece && key === "eos_token_id" ? 2 : undefined);
    if (id !== undefined) keys.set(key, id);
  }
  const ids = {
    bos_token: bosToken,
    eos_token: keys.get("eos_token_id"),
    unk_token: idOf("unknown_token_id"),
    sep_token: idOf("seperator_token_id"),
    pad_token: idOf("padding_token_id"),
    mask_token: idOf("mask_token_id"),
  };
  const names: Record<string, string> = {};
  for (const [key, id] of Object.entries(ids)) {
    const content = id === undefined ? undefined : tokens.contentOf(id);
    if (content !== undefined) names[key] = content;
  }
  const adds = value("add_bos_token");
  return {
    bosToken,
    addsBosToken: typeof adds === "boolean" ? adds : isSentencePiece || beginning.has(value("pre")),
    eosTokens: ascending(ggufEndTokens(keys, (content) => tokens.idOf(content))),
    chatTemplate: chatTemplate(ggufTemplates(metadata), names, name),
  };
}

/** The templates of a GGUF: one, and others whose names it lists. */
function ggufTemplates(metadata: (key: string) => unknown): ReadonlyMap<string, unknown> | undefined {
  const templates = new Map<string, unknown>();
  const single = metadata("tokenizer.chat_template");
  if (single !== undefined) templates.set("default", single);
  const names = metadata("tokenizer.chat_templates");
  for (const name of Array.isArray(names) ? names : []) {
    const template = typeof name === "string" ? metadata(`tokenizer.chat_template.${name}`) : undefined;
    if (template !== undefined) templates.set(name, template);
  }
  return templates.size > 0 ? templates : undefined;
}
