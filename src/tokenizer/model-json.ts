/** The model of a tokenizer.json: its entries and how they are put together. */
import { show } from "../show.ts";
import { isObject, type Reader } from "./components.ts";
import { BytePairModel, type BytePairParts } from "./models/byte-pair-model.ts";
import { expandBarred, MergeTable } from "./models/merge-table.ts";
import type { PieceModel } from "./models/piece-model.ts";
import { TokenTable } from "./models/token-table.ts";
import { UnigramModel } from "./models/unigram-model.ts";
import { TokenList } from "./tokens.ts";

// Far above any vocabulary in use: the largest have some 260,000 entries, and hardly a hole.
const largestSize = 1 << 22;
const mostHoles = 1 << 16;
/** UTF-16 units of the longest entry that there may be. */
export const longestEntry = 4096;

/** A model whose entries are known. */
export interface OpenModel {
  readonly tokens: TokenTable;
  /** How many entries there are. */
  readonly count: number;
  /** Whether it can be given the bytes of a piece in place of their spelling. */
  readonly mayBeOverBytes: boolean;
  /** @param barred ids that no plain text becomes */
  readonly build: (barred: ReadonlySet<number>, overBytes: boolean) => PieceModel;
}

/** @throws FormatError for a model that is malformed or of a kind that is not supported */
export function readModel(model: unknown, reader: Reader): OpenModel {
  if (!isObject(model)) return reader.fail('"model" is not an object');
  // Older files leave the type out.
  const { type = "BPE" } = model;
  if (type === "Unigram") return readUnigram(model, reader);
  if (type !== "BPE") return reader.fail(`the model type ${show(type)} is not supported; "BPE" and "Unigram" are`);
  const { tokens, count } = readEntries(model.vocab, reader);
  return {
    tokens,
    count,
    // A prefix or suffix goes to characters, though these spell bytes.
    mayBeOverBytes: !(model.continuing_subword_prefix || model.end_of_word_suffix),
    build: (barred, overBytes) => readBytePairModel(model, tokens, { barred, overBytes }, reader),
  };
}

/** The entries by id. */
function readEntries(vocab: unknown, reader: Reader): { tokens: TokenTable; count: number } {
  if (!isObject(vocab)) return reader.fail('"model.vocab" is not an object');
  const entries: (string | undefined)[] = [];
  let count = 0;
  for (const entry in vocab) {
    const id = checkedId(vocab[entry], entry, reader);
    const other = entries[id];
    if (other !== undefined) reader.fail(`${show(other)} and ${show(entry)} have the same id, ${id}`);
    if (entry.length > longestEntry) reader.fail(`${show(entry)} is longer than ${longestEntry} characters`);
    entries[id] = entry;
    count++;
  }
  // A stray id must not make tables of millions.
  if (entries.length > 2 * count + mostHoles)
    reader.fail(`the vocabulary has ${count} entries, and ids up to ${entries.length - 1}`);
  // Without holes, which would make a list of another kind.
  return { tokens: new TokenTable(Array.from(entries)), count };
}

/** An id that may be one. */
export function checkedId(id: unknown, entry: string, reader: Reader): number {
  if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= largestSize)
    return reader.fail(`the id of ${show(entry)} should be a whole number below ${largestSize} and is ${show(id)}`);
  return id;
}

function readBytePairModel(
  model: Record<string, unknown>,
  tokens: TokenTable,
  { barred, overBytes }: { barred: ReadonlySet<number>; overBytes: boolean },
  reader: Reader,
): BytePairModel {
  if ((model.dropout ?? 0) !== 0) reader.fail("dropout, which makes tokens by chance, is not supported");
  const optional = (key: string) => (model[key] == null ? undefined : reader.text(model, key));
  const prefix = optional("continuing_subword_prefix") ?? "";
  const suffix = optional("end_of_word_suffix") ?? "";
  return new BytePairModel({
    tokens,
    ...readMerges(model.merges, tokens, prefix, barred, reader),
    overBytes,
    ignoreMerges: reader.flag(model, "ignore_merges", false) ? "all" : undefined,
    byteIds: reader.flag(model, "byte_fallback", false) ? tokens.byteIds() : undefined,
    unknown: optional("unk_token"),
    fuseUnknown: reader.flag(model, "fuse_unk", false),
    prefix,
    suffix,
    barred,
    name: reader.name,
  });
}

function readMerges(
  given: unknown,
  tokens: TokenTable,
  prefix: string,
  barred: ReadonlySet<number>,
  reader: Reader,
): Pick<BytePairParts, "merges" | "expansions"> {
  if (!Array.isArray(given)) return reader.fail('"model.merges" is not a list');
  const pairs =
    typeof given[0] === "string"
      ? given.filter((merge) => typeof merge !== "string" || !merge.startsWith("#version"))
      : given;
  const idOf = (text: string, index: number): number => {
    const id = tokens.id(text);
    return id >= 0 ? id : reader.fail(`merge ${index} names ${show(text)}, which is no entry of the vocabulary`);
  };
  const merges = new TokenList();
  for (const [index, merge] of pairs.entries()) {
    if (typeof merge !== typeof pairs[0]) reader.fail(`merge ${index} is written otherwise than the first`);
    const parts: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(parts) || parts.length !== 2 || !parts.every((part) => typeof part === "string" && part !== ""))
      return reader.fail(`merge ${index} is not a pair of strings`);
    const [left, right] = parts as [string, string];
    if (!right.startsWith(prefix)) reader.fail(`the second part of merge ${index} lacks the prefix ${show(prefix)}`);
    for (const text of [left, right, left + right.slice(prefix.length)]) merges.push(idOf(text, index));
  }
  const list = merges.take();
  return {
    merges: new MergeTable(list, { size: tokens.size, lastCounts: true }),
    expansions: expandBarred(list, barred),
  };
}

function readUnigram(model: Record<string, unknown>, reader: Reader): OpenModel {
  const { vocab } = model;
  if (!Array.isArray(vocab)) return reader.fail('"model.vocab" of a unigram model is not a list');
  if (vocab.length > largestSize) reader.fail(`the vocabulary has more than ${largestSize} entries`);
  const scores = new Float64Array(vocab.length);
  const entries = vocab.map((entry: unknown, id): string => {
    const [text, score] = Array.isArray(entry) ? (entry as unknown[]) : [];
    if (typeof text !== "string" || typeof score !== "number")
      return reader.fail(`entry ${id} of the vocabulary is not a text and a score`);
    if (text.length > longestEntry) reader.fail(`${show(text)} is longer than ${longestEntry} characters`);
    scores[id] = score;
    return text;
  });
  const tokens = new TokenTable(entries);
  const unknown = model.unk_id ?? undefined;
  if (unknown !== undefined && checkedId(unknown, "the unknown token", reader) >= vocab.length)
    reader.fail("the unknown token's id is not in the vocabulary");
  const byteIds = reader.flag(model, "byte_fallback", false) ? tokens.byteIds() : undefined;
  return {
    tokens,
    count: vocab.length,
    mayBeOverBytes: false,
    build: (barred) =>
      new UnigramModel({ tokens, scores, unknown: unknown as number | undefined, byteIds, barred, name: reader.name }),
  };
}
