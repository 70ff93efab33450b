/** Checks a tokenizer.json from anywhere and makes of it the steps that do what Python's tokenizers do. */
import { show } from "../show.ts";
import { type Component, isObject, Reader } from "./components.ts";
import { checkedId, longestEntry, readModel } from "./model-json.ts";
import type { TokenTable } from "./models/token-table.ts";
import { readNormalizer } from "./normalizer.ts";
import { readPreTokenizer } from "./pre-tokenizer.ts";
import { type AddedToken, AddedTokenSet } from "./stages/added-tokens-stage.ts";
import { Stage, type StageState, type Step } from "./stages/stage.ts";
import type { Pipeline } from "./stream-encoder.ts";
import type { Spelling } from "./token-bytes.ts";

/** A tokenizer's parts, from whatever file. */
export interface Vocabulary {
  /** The model's own entries. */
  readonly tokens: TokenTable;
  readonly addedTokens: readonly AddedToken[];
  /** highest id + 1 */
  readonly size: number;
  readonly spelling: Spelling;
  /** Whether decoding drops a space at the very beginning. */
  readonly dropsFirstSpace: boolean;
  readonly pipeline: Pipeline;
}

// Far above any vocabulary in use, the largest of which have some 10,000.
const mostAddedTokens = 1 << 17;

/**
 * Checks and prepares the contents of a tokenizer.json.
 *
 * @param json the parsed file
 * @param name the file's name, for errors
 * @throws FormatError when it is malformed or uses what is not supported
 */
export function readTokenizerJson(json: unknown, name: string): Vocabulary {
  const reader = new Reader(name);
  if (!isObject(json)) return reader.fail("a tokenizer must be an object");
  const { tokens, count, mayBeOverBytes, build } = readModel(json.model, reader);
  const addedTokens = readAddedTokens(json.added_tokens ?? [], tokens, count, reader);
  const size = addedTokens.reduce((most, { id }) => Math.max(most, id + 1), tokens.size);
  if (size === 0) reader.fail("the vocabulary is empty");
  const normalizer = readNormalizer(reader.component(json.normalizer, '"normalizer"'), reader);
  const { steps, overBytes } = readPreTokenizer(
    reader.component(json.pre_tokenizer, '"pre_tokenizer"'),
    { mayBeOverBytes, normalizes: normalizer.length > 0 },
    reader,
  );
  const barred = new Set(addedTokens.filter(({ special }) => special).map(({ id }) => id));
  return {
    tokens,
    addedTokens,
    size,
    ...readDecoder(reader.component(json.decoder, '"decoder"'), reader),
    pipeline: {
      ...addedTokenSets(addedTokens, normalizer, reader),
      normalizer,
      preTokenizer: steps,
      model: build(barred, overBytes),
    },
  };
}

function readAddedTokens(list: unknown, tokens: TokenTable, count: number, reader: Reader): AddedToken[] {
  if (!Array.isArray(list)) return reader.fail('"added_tokens" is not a list');
  if (list.length > mostAddedTokens) return reader.fail(`there are more than ${mostAddedTokens} added tokens`);
  const known = new Map<string, AddedToken>();
  const owners = new Map<number, string>();
  let next = count;
  for (const [index, token] of list.entries()) {
    if (!isObject(token) || typeof token.content !== "string")
      return reader.fail(`added token ${index} has no content`);
    const { content } = token;
    // Python's tokenizers leave these out.
    if (content === "") continue;
    if (content.length > longestEntry) reader.fail(`${show(content)} is longer than ${longestEntry} characters`);
    const id = checkedId(token.id, content, reader);
    const added: AddedToken = {
      id,
      content,
      special: reader.flag(token, "special", false),
      singleWord: reader.flag(token, "single_word", false),
      stripsLeft: reader.flag(token, "lstrip", false),
      stripsRight: reader.flag(token, "rstrip", false),
      normalized: reader.flag(token, "normalized", false),
    };
    const before = known.get(content);
    if (before && JSON.stringify(before) !== JSON.stringify(added))
      reader.fail(`the added token ${show(content)} occurs twice, and not alike`);
    if (before) continue;
    known.set(content, added);
    const own = tokens.id(content);
    if (own >= 0 && own !== id) reader.fail(`${show(content)} has two ids, ${own} and ${id}`);
    const other = owners.get(id) ?? (own < 0 ? tokens.text(id) : undefined);
    if (other !== undefined) reader.fail(`${show(other)} and ${show(content)} have the same id, ${id}`);
    owners.set(id, content);
    // Python's tokenizers number the tokens that the model lacks on from what there is, whatever the file says.
    if (own < 0 && id !== next)
      reader.fail(`the added token ${show(content)} has the id ${id}, and its place gives it ${next}`);
    next = Math.max(next, id + 1);
  }
  return [...known.values()];
}

/** What is looked for in text as it is, and in normalized text. */
function addedTokenSets(
  addedTokens: readonly AddedToken[],
  normalizer: readonly Step[],
  reader: Reader,
): Pick<Pipeline, "rawTokens" | "normalizedTokens"> {
  const setOf = (tokens: readonly AddedToken[], formOf: (token: AddedToken) => string) => {
    const forms = tokens.map(formOf);
    const known = new Map<string, AddedToken>();
    for (const [index, form] of forms.entries()) {
      const token = tokens[index]!;
      if (form === "") reader.fail(`the added token ${show(token.content)} is normalized to nothing`);
      const other = known.get(form);
      if (other) reader.fail(`the added tokens ${show(other.content)} and ${show(token.content)} are normalized alike`);
      known.set(form, token);
    }
    return new AddedTokenSet(tokens, forms, false);
  };
  return {
    rawTokens: setOf(
      addedTokens.filter(({ normalized }) => !normalized),
      ({ content }) => content,
    ),
    normalizedTokens: setOf(
      addedTokens.filter(({ normalized }) => normalized),
      ({ content }) => normalize(content, normalizer),
    ),
  };
}

/** Gathers the text that comes out of steps. */
class TextStage extends Stage {
  text = "";

  override push(text: string, from: number, to: number): void {
    this.text += text.slice(from, to);
  }

  override get state(): StageState {
    return this.text;
  }

  override set state(state: StageState) {
    this.text = state as string;
  }
}

function normalize(text: string, steps: readonly Step[]): string {
  const result = new TextStage(undefined);
  const first = [...steps].reverse().reduce<Stage>((next, step) => step(next), result);
  first.push(text, 0, text.length, true, true);
  return result.text;
}

/** What a text of tokens is made of. */
function readDecoder(decoder: Component | null, reader: Reader): Pick<Vocabulary, "spelling" | "dropsFirstSpace"> {
  const steps = reader.steps(decoder, "decoders", "decoder");
  const types = steps.map(({ type }) => type).join();
  const [first, , , last] = steps;
  if (types === "ByteLevel") return { spelling: "byte-level", dropsFirstSpace: false };
  if (types === "Metaspace" && (first!.replacement ?? "▁") === "▁")
    return {
      spelling: "metaspace",
      dropsFirstSpace: first!.prepend_scheme !== "never" && first!.add_prefix_space !== false,
    };
  const replaces = isObject(first?.pattern) && first.pattern.String === "▁" && first.content === " ";
  const strips = last && last.content === " " && last.start === 1 && last.stop === 0;
  if (replaces && types === "Replace,ByteFallback,Fuse") return { spelling: "metaspace", dropsFirstSpace: false };
  if (replaces && strips && types === "Replace,ByteFallback,Fuse,Strip")
    return { spelling: "metaspace", dropsFirstSpace: true };
  return reader.fail(`the decoder ${types === "" ? "null" : show(types)} is not supported`);
}
