/** Checks a tokenizer.json from anywhere, and puts right what @huggingface/tokenizers would read otherwise than the original does. */
import { FormatError } from "../errors.ts";
import { type Component, cutsAreSafe, isolate, lastSafeCut, patterns, spellBytes } from "./splitting.ts";
import type { Spelling } from "./token-bytes.ts";

/** A token that is matched as a whole, before anything else. */
export interface AddedToken {
  id: number;
  content: string;
  special: boolean;
  single_word: boolean;
  lstrip: boolean;
  rstrip: boolean;
  normalized: boolean;
}

/** A checked vocabulary, ready for the library. */
export interface Vocabulary {
  readonly model: Component;
  readonly normalizer: Component | null;
  readonly preTokenizer: Component | null;
  readonly addedTokens: readonly AddedToken[];
  /** highest id + 1 */
  readonly size: number;
  readonly spelling: Spelling;
  /** Whether decoding drops a space at the very beginning. */
  readonly dropsFirstSpace: boolean;
  /** Whether a plain text may be cut where `lastSafeCut` says. */
  readonly cutsAreSafe: boolean;
}

// Far above any vocabulary in use (the largest have some 260,000 entries); a stray id must not make an array of 2^32.
const largestSize = 1 << 22;

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * Checks and prepares the contents of a tokenizer.json.
 *
 * @param json the parsed file
 * @param name the file's name, for errors
 * @throws FormatError when it is malformed or uses what is not supported
 */
export function readTokenizerJson(json: unknown, name: string): Vocabulary {
  const fail = (fault: string): never => {
    throw new FormatError(name, fault);
  };
  if (!isObject(json)) return fail("a tokenizer must be an object");
  const component = (key: string): Component | null => {
    const value = json[key] ?? null;
    if (value !== null && (!isObject(value) || typeof value.type !== "string"))
      return fail(`"${key}" is not an object with a type`);
    return value as Component | null;
  };
  const model = readModel(json.model, fail);
  const addedTokens = readAddedTokens(json.added_tokens ?? [], fail);
  const size = checkIds(model.vocab, addedTokens, fail);
  const normalizer = component("normalizer");
  const first = component("pre_tokenizer");
  const steps = first === null ? [] : readSteps(first, normalizer, fail);
  const plain = addedTokens.filter((token) => !token.special);
  return {
    model,
    normalizer,
    preTokenizer: steps.length === 0 ? null : { type: "Sequence", pretokenizers: steps },
    ...readDecoder(component("decoder"), fail),
    addedTokens,
    size,
    cutsAreSafe:
      cutsAreSafe(normalizer, steps) &&
      !(model.fuse_unk && model.unk_token) &&
      plain.every((token) => !token.lstrip && !token.rstrip && lastSafeCut(token.content, 1) < 0),
  };
}

type Fail = (fault: string) => never;

function readModel(model: unknown, fail: Fail): Component & { vocab: Record<string, number> } {
  if (!isObject(model)) return fail('"model" is not an object');
  const { vocab, merges } = model;
  // Older files leave the type out.
  if ((model.type ?? "BPE") !== "BPE")
    return fail(`the model type ${JSON.stringify(model.type)} is not supported, only "BPE" is`);
  if (!isObject(vocab)) return fail('"model.vocab" is not an object');
  if (!Array.isArray(merges)) return fail('"model.merges" is not a list');
  merges.forEach((merge: unknown, index) => {
    const parts: unknown = typeof merge === "string" ? merge.split(" ") : merge;
    if (!Array.isArray(parts) || parts.length !== 2 || !parts.every((part) => typeof part === "string" && part !== ""))
      fail(`merge ${index} is not a pair of strings`);
    if (typeof merge !== typeof merges[0]) fail(`merge ${index} is written otherwise than the first`);
  });
  return { ...model, type: "BPE", vocab: vocab as Record<string, number>, merges };
}

function readAddedTokens(list: unknown, fail: Fail): AddedToken[] {
  if (!Array.isArray(list)) return fail('"added_tokens" is not a list');
  return list.map((token: unknown, index) => {
    if (!isObject(token) || typeof token.content !== "string" || token.content === "")
      return fail(`added token ${index} has no content`);
    const flag = (key: string) => token[key] === true;
    return {
      id: token.id as number,
      content: token.content,
      special: flag("special"),
      single_word: flag("single_word"),
      lstrip: flag("lstrip"),
      rstrip: flag("rstrip"),
      normalized: flag("normalized"),
    };
  });
}

/** Every id is a small whole number and belongs to one token; returns the highest + 1. */
function checkIds(vocab: Record<string, unknown>, addedTokens: readonly AddedToken[], fail: Fail): number {
  const owners: string[] = [];
  let size = 0;
  const claim = (id: unknown, token: string) => {
    if (typeof id !== "number" || !Number.isInteger(id) || id < 0 || id >= largestSize)
      return fail(`the id of ${JSON.stringify(token)} is not a whole number from 0 to ${largestSize - 1}`);
    const owner = owners[id];
    if (owner !== undefined && owner !== token)
      fail(`${JSON.stringify(owner)} and ${JSON.stringify(token)} have the same id, ${id}`);
    owners[id] = token;
    size = Math.max(size, id + 1);
  };
  for (const token in vocab) claim(vocab[token], token);
  const seen = new Set<string>();
  for (const { id, content } of addedTokens) {
    if (seen.has(content)) fail(`the added token ${JSON.stringify(content)} occurs twice`);
    seen.add(content);
    if (Object.hasOwn(vocab, content) && vocab[content] !== id)
      fail(`${JSON.stringify(content)} has two ids, ${vocab[content]} and ${id}`);
    claim(id, content);
  }
  if (size === 0) fail("the vocabulary is empty");
  return size;
}

/** Flattens a pre-tokenizer into its steps, each written so that the library does what the original does. */
function readSteps(step: Component, normalizer: Component | null, fail: Fail): Component[] {
  switch (step.type) {
    case "Sequence":
      if (!Array.isArray(step.pretokenizers)) return fail("a pre-tokenizer sequence has no list");
      return step.pretokenizers.flatMap((part: unknown) =>
        isObject(part) && typeof part.type === "string"
          ? readSteps(part as Component, normalizer, fail)
          : fail("a pre-tokenizer is not an object with a type"),
      );
    case "Digits":
      // The library's own knows 0-9 only; the original takes every numeric character.
      return [isolate(step.individual_digits ? patterns.numeral : patterns.numerals)];
    case "ByteLevel":
      if (step.use_regex === false || step.add_prefix_space) return [step];
      // The library's own pattern has JavaScript's idea of white space; a pattern given as a Split is translated with care.
      return [isolate(patterns.gpt2), spellBytes];
    case "Metaspace":
      return [step];
    case "Split": {
      const pattern = isObject(step.pattern) ? step.pattern : {};
      if (typeof pattern.Regex !== "string" && typeof pattern.String !== "string")
        return fail("a Split has no pattern");
      // Gemma's files split at spaces that their normalizer has already replaced.
      if (
        normalizer?.type === "Replace" &&
        isObject(normalizer.pattern) &&
        pattern.String === " " &&
        normalizer.pattern.String === " "
      )
        return [];
      if (step.behavior === "Isolated" || step.behavior === "Removed") return [step];
      return fail(`the Split behaviour ${JSON.stringify(step.behavior)} is not supported`);
    }
    default:
      return fail(`the pre-tokenizer ${JSON.stringify(step.type)} is not supported`);
  }
}

function readDecoder(decoder: Component | null, fail: Fail): Pick<Vocabulary, "spelling" | "dropsFirstSpace"> {
  if (decoder?.type === "ByteLevel") return { spelling: "byte-level", dropsFirstSpace: false };
  if (decoder?.type === "Metaspace")
    return {
      spelling: "metaspace",
      dropsFirstSpace: decoder.prepend_scheme !== "never" && decoder.add_prefix_space !== false,
    };
  const parts = decoder?.type === "Sequence" && Array.isArray(decoder.decoders) ? (decoder.decoders as unknown[]) : [];
  const types = parts.map((part) => (isObject(part) ? part.type : undefined)).join();
  if (decoder && types === "ByteLevel") return { spelling: "byte-level", dropsFirstSpace: false };
  if (decoder && /^Replace,ByteFallback,Fuse(,Strip)?$/.test(types))
    return { spelling: "metaspace", dropsFirstSpace: types.endsWith("Strip") };
  return fail(`the decoder ${types || JSON.stringify(decoder?.type ?? null)} is not supported`);
}
