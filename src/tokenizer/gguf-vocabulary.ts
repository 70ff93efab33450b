/** A GGUF's vocabulary as the steps that llama.cpp takes with it. */
import { show } from "../show.ts";
import { Reader } from "./components.ts";
import { fillEnds, ggufEnds } from "./end-tokens.ts";
import { ggufPreTokenizers } from "./gguf-pre-tokenizers.ts";
import { longestEntry } from "./model-json.ts";
import { BytePairModel, type BytePairParts } from "./models/byte-pair-model.ts";
import { expandBarred, MergeTable } from "./models/merge-table.ts";
import { scoreMerges } from "./models/score-merges.ts";
import { TokenTable } from "./models/token-table.ts";
import { splitStep } from "./pre-tokenizer.ts";
import { type AddedToken, AddedTokenSet } from "./stages/added-tokens-stage.ts";
import { MapStage, PrefixStage, type Step } from "./stages/stage.ts";
import type { Pipeline } from "./stream-encoder.ts";
import { byteToken } from "./token-bytes.ts";
import type { Vocabulary } from "./tokenizer-json.ts";
import { TokenList } from "./tokens.ts";

// GGUF's token types (llama.cpp's enum llama_token_type).
const TokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, byte: 6 } as const;

/** What the vocabulary's lists say, checked. */
interface Lists {
  readonly tokens: TokenTable;
  readonly entries: readonly string[];
  /** For each id one of TokenType, or another number for what is none of them. */
  readonly types: Int32Array;
}

/**
 * The steps that a GGUF's metadata stand for.
 *
 * @param metadata gives the value of a metadata key, or undefined
 * @param name the file's name, for errors
 * @throws FormatError when the vocabulary is missing or malformed, of a kind that is not supported, or with a pre-tokenizer that is not
 * known
 */
export function ggufVocabulary(metadata: (key: string) => unknown, name: string): Vocabulary {
  const reader = new Reader(name);
  const value = (key: string) => metadata(`tokenizer.ggml.${key}`);
  const kind = value("model");
  if (kind !== "gpt2" && kind !== "gemma4" && kind !== "llama")
    reader.fail(
      `the vocabulary kind ${show(kind)} is not supported; "gpt2" and "gemma4" (byte-pair encoding) and "llama" (SentencePiece) are`,
    );
  const lists = readLists(value, reader);
  const { tokens } = lists;
  const addedTokens = readAddedTokens(lists, value, metadata("general.name"));
  const barred = new Set(addedTokens.filter(({ special }) => special).map(({ id }) => id));
  const { spelling, dropsFirstSpace, ...steps } =
    kind === "llama" ? scoreSteps(value, lists, barred, reader) : mergeSteps(value, tokens, barred, reader);
  return {
    tokens,
    addedTokens,
    size: tokens.size,
    spelling,
    dropsFirstSpace,
    pipeline: {
      rawTokens: new AddedTokenSet(
        addedTokens,
        addedTokens.map(({ content }) => content),
        true,
      ),
      normalizedTokens: new AddedTokenSet([], [], true),
      ...steps,
    },
  };
}

function readLists(value: (key: string) => unknown, reader: Reader): Lists {
  const list = value("tokens");
  if (!Array.isArray(list) || !list.every((token) => typeof token === "string"))
    return reader.fail("tokenizer.ggml.tokens is not a list of strings");
  // The name that llama.cpp gives to what has none; no text becomes it.
  const entries = list.map((token: string, id) => token || `[EMPTY_${id}]`);
  const owners = new Map<string, number>();
  for (const [id, entry] of entries.entries()) {
    if (entry.length > longestEntry) reader.fail(`${show(entry)} is longer than ${longestEntry} characters`);
    const owner = owners.get(entry);
    if (owner !== undefined) reader.fail(`the token ${show(entry)} has two ids, ${owner} and ${id}`);
    owners.set(entry, id);
  }
  const types = value("token_type");
  if (types !== undefined && !isNumberList(types, entries.length))
    return reader.fail("tokenizer.ggml.token_type does not have one number for each token");
  return {
    tokens: new TokenTable(entries),
    entries,
    types: types === undefined ? new Int32Array(entries.length).fill(TokenType.normal) : Int32Array.from(types),
  };
}

function isNumberList(value: unknown, length: number): value is ArrayLike<number> {
  if (!Array.isArray(value) && !ArrayBuffer.isView(value)) return false;
  const list = value as unknown as ArrayLike<unknown>;
  return list.length === length && Array.prototype.every.call(list, (item) => typeof item === "number");
}

// Marks of filling in, which are control tokens where the file does not name the token of that kind, as the ends of filling are.
const fillMarks: Readonly<Record<string, readonly string[]>> = {
  "fim_pre_token_id prefix_token_id":
    "<|fim_prefix|> <fim-prefix> <fim_prefix> <｜fim▁begin｜> <PRE> ▁<PRE> <|code_prefix|> <|prefix|>".split(" "),
  "fim_suf_token_id suffix_token_id":
    "<|fim_suffix|> <fim-suffix> <fim_suffix> <｜fim▁hole｜> <SUF> ▁<SUF> <|code_suffix|> <|suffix|>".split(" "),
  "fim_mid_token_id middle_token_id":
    "<|fim_middle|> <fim-middle> <fim_middle> <｜fim▁end｜> <MID> ▁<MID> <|code_middle|> <|middle|>".split(" "),
};
// And these are none.
const userDefinedNames = new Set("<|channel|> <|message|> <|start|> <|constrain|>".split(" "));

/** The tokens that are matched as wholes, control and unknown tokens being special. */
function readAddedTokens(
  { entries, types, tokens }: Lists,
  value: (key: string) => unknown,
  modelName: unknown,
): AddedToken[] {
  const has = (entry: string) => tokens.id(entry) >= 0;
  // In these vocabularies <|end|> is within an answer, and </s> is a word.
  const endIsText = (has("<|call|>") || has("<|calls|>")) && (has("<|return|>") || has("<|flush|>"));
  const marks = new Set<string>();
  for (const [keys, names] of Object.entries({ ...fillMarks, ...fillEnds })) {
    if (keys.split(" ").some((key) => value(key) !== undefined)) continue;
    const mark = names.find(has);
    if (mark !== undefined) marks.add(mark);
  }
  const stripsRight = typeof modelName === "string" && /phi-?3/i.test(modelName);
  const keepsRight = new Set(["<unk>", "<s>", "<|endoftext|>"]);
  const addedTokens: AddedToken[] = [];
  for (const [id, content] of entries.entries()) {
    let type = types[id]!;
    if (ggufEnds.has(content) || marks.has(content)) type = TokenType.control;
    if (userDefinedNames.has(content) || (content === "<|end|>" && endIsText)) type = TokenType.userDefined;
    if (content === "</s>" && has("<|tool_response>")) type = TokenType.normal;
    if (type !== TokenType.control && type !== TokenType.unknown && type !== TokenType.userDefined) continue;
    addedTokens.push({
      id,
      content,
      special: type !== TokenType.userDefined,
      singleWord: false,
      stripsLeft: false,
      stripsRight: stripsRight && !keepsRight.has(content),
      normalized: false,
    });
  }
  return addedTokens;
}

type Steps = Pick<Vocabulary, "spelling" | "dropsFirstSpace"> & Pick<Pipeline, "normalizer" | "preTokenizer" | "model">;

const escapeSpaces: Step = (next) => new MapStage(next, (text) => text.replaceAll(" ", "▁"));

/** A vocabulary with merges: of bytes, or of characters with ▁ for a space. */
function mergeSteps(
  value: (key: string) => unknown,
  tokens: TokenTable,
  barred: ReadonlySet<number>,
  reader: Reader,
): Steps {
  // A file that names no pre-tokenizer is read as llama.cpp reads it.
  const named = value("pre") ?? "";
  const pre = value("model") === "gemma4" ? "gemma4" : named === "" ? "default" : named;
  const preTokenizer = ggufPreTokenizers.get(pre as string);
  if (!preTokenizer)
    return reader.fail(
      `the pre-tokenizer ${show(pre)} is not known; known are ${[...ggufPreTokenizers.keys()].join(", ")}`,
    );
  const { patterns, ignoreMerges, overCharacters = false } = preTokenizer;
  const model = new BytePairModel({
    tokens,
    // Files of this one kind may come without.
    ...readMerges(value("merges") ?? (pre === "kimi-k2" ? [] : undefined), { tokens, overCharacters, barred }, reader),
    overBytes: !overCharacters,
    ignoreMerges,
    byteIds: overCharacters ? tokens.byteIds() : undefined,
    barred,
    name: reader.name,
  });
  return {
    spelling: overCharacters ? "metaspace" : "byte-level",
    dropsFirstSpace: false,
    normalizer: overCharacters ? [escapeSpaces] : [],
    preTokenizer: patterns.map((pattern) => splitStep(pattern, reader, "Isolated")),
    model,
  };
}

/** Merges by text, as llama.cpp has them: their parts and results need not be tokens, and come apart again in the end if they are not. */
function readMerges(
  list: unknown,
  { tokens, overCharacters, barred }: { tokens: TokenTable; overCharacters: boolean; barred: ReadonlySet<number> },
  reader: Reader,
): Pick<BytePairParts, "merges" | "strangers" | "expansions"> {
  if (!Array.isArray(list)) return reader.fail("tokenizer.ggml.merges is not a list");
  const strangers = new Map<string, number>();
  const comeApart: (readonly number[])[] = [];
  const idOf = (text: string): number => {
    const id = tokens.id(text);
    if (id >= 0) return id;
    const stranger = strangers.get(text);
    if (stranger !== undefined) return stranger;
    const ids = Array.from(new TextEncoder().encode(text), (byte) =>
      overCharacters ? tokens.id(byteToken(byte)) : byte < 128 ? tokens.id(String.fromCharCode(byte)) : -1,
    );
    comeApart.push(ids.filter((own) => own >= 0));
    strangers.set(text, tokens.size + strangers.size);
    return tokens.size + strangers.size - 1;
  };
  const merges = new TokenList();
  for (const [index, merge] of list.entries()) {
    // The first part may begin with a space.
    const space = typeof merge === "string" ? merge.indexOf(" ", 1) : -1;
    if (space < 0 || space === merge.length - 1) return reader.fail(`merge ${index} is not a pair of strings`);
    if (merge.length > longestEntry) reader.fail(`merge ${index} is longer than ${longestEntry} characters`);
    const [left, right] = [merge.slice(0, space), merge.slice(space + 1)];
    for (const text of [left, right, left + right]) merges.push(idOf(text));
  }
  const triples = merges.take();
  const expansions = expandBarred(triples, barred);
  for (const [index, ids] of comeApart.entries()) expansions.set(tokens.size + index, ids);
  const size = tokens.size + strangers.size;
  return { merges: new MergeTable(triples, { size }), strangers, expansions };
}

/** A SentencePiece vocabulary, whose tokens have scores. */
function scoreSteps(
  value: (key: string) => unknown,
  { tokens, types }: Lists,
  special: ReadonlySet<number>,
  reader: Reader,
): Steps {
  const scores = value("scores");
  if (!isNumberList(scores, tokens.size) || Array.prototype.some.call(scores, Number.isNaN))
    return reader.fail("tokenizer.ggml.scores does not have one number for each token");
  const barred = new Set(special);
  for (let id = 0; id < types.length; id++) if (types[id] === TokenType.byte) barred.add(id);
  const byteIds = tokens.byteIds().map((id, byte) => {
    const own = id < 0 && byte < 128 ? tokens.id(String.fromCharCode(byte)) : id;
    // Bytes that stand in no well-formed text are not missed.
    if (own < 0 && byte !== 0xc0 && byte !== 0xc1 && byte < 0xf5)
      reader.fail(`the SentencePiece vocabulary has no token ${byteToken(byte)}`);
    return own;
  });
  const prefixes = value("add_space_prefix") ?? true;
  if (typeof prefixes !== "boolean")
    return reader.fail(`tokenizer.ggml.add_space_prefix should be true or false and is ${show(prefixes)}`);
  return {
    spelling: "metaspace",
    dropsFirstSpace: prefixes,
    normalizer: [
      ...(prefixes ? ([(next): PrefixStage => new PrefixStage(next, { prefix: " " })] satisfies Step[]) : []),
      escapeSpaces,
    ],
    preTokenizer: [],
    model: new BytePairModel({
      tokens,
      ...scoreMerges({ tokens, scores, barred, byteIds }),
      byteIds,
      barred,
      name: reader.name,
    }),
  };
}
