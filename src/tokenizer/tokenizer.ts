/** Text to tokens and back, from a tokenizer.json or a GGUF's vocabulary. */
import { ArgumentError } from "../errors.ts";
import { checkOptions } from "../options.ts";
import { show } from "../show.ts";
import type { ChatTemplate } from "./chat-template.ts";
import { ggufVocabulary } from "./gguf-vocabulary.ts";
import type { TokenTable } from "./models/token-table.ts";
import {
  folderSpecialTokens,
  ggufSpecialTokens,
  type SpecialTokens,
  type TokenizerFiles,
  type TokenLookup,
} from "./special-tokens.ts";
import { StreamDecoder } from "./stream-decoder.ts";
import { type Pipeline, StreamEncoder } from "./stream-encoder.ts";
import { type Spelling, spelledBytes } from "./token-bytes.ts";
import { readTokenizerJson, type Vocabulary } from "./tokenizer-json.ts";
import { joined } from "./tokens.ts";

/** Turns text into token ids and back; what `model.tokenizer` is. */
export class Tokenizer {
  /** Highest token id + 1. The model's own table may be larger (padding). */
  readonly vocabularySize: number;
  /** Id of the token that begins a document, if the model has one. `encode` never adds it. */
  readonly bosToken: number | undefined;
  /** What stands before a text at the very beginning where no template says so: the begin token, or nothing. */
  readonly documentStart: readonly number[];
  /** Ids of the tokens that end an answer, ascending. */
  readonly eosTokens: readonly number[];
  /** The model's chat templates, if it has any. */
  readonly chatTemplate: ChatTemplate | undefined;
  /** Whether decoding drops a space at the very beginning, as SentencePiece vocabularies do. */
  readonly dropsFirstSpace: boolean;

  readonly #spelling: Spelling;
  readonly #tokens: TokenTable;
  readonly #pipeline: Pipeline;
  readonly #added = new Map<number, { content: string; special: boolean }>();

  private constructor(vocabulary: Vocabulary, special: (tokens: TokenLookup) => SpecialTokens) {
    this.#spelling = vocabulary.spelling;
    this.vocabularySize = vocabulary.size;
    this.dropsFirstSpace = vocabulary.dropsFirstSpace;
    this.#tokens = vocabulary.tokens;
    this.#pipeline = vocabulary.pipeline;
    const { addedTokens } = vocabulary;
    for (const { id, content, special } of addedTokens) this.#added.set(id, { content, special });

    const found = special({
      size: vocabulary.size,
      idOf: (content) => {
        const id = this.#tokens.id(content);
        return addedTokens.find((token) => token.content === content)?.id ?? (id < 0 ? undefined : id);
      },
      contentOf: (id) => this.#entry(id),
      added: addedTokens,
    });
    this.bosToken = found.bosToken;
    this.documentStart = found.addsBosToken && found.bosToken !== undefined ? [found.bosToken] : [];
    this.eosTokens = found.eosTokens;
    this.chatTemplate = found.chatTemplate;
  }

  /**
   * A tokenizer from the contents of a tokenizer.json.
   *
   * @param tokenizerJson the parsed file
   * @param files the other files of the model that say something of its tokens
   * @param name the file's name, for errors
   * @throws FormatError when the file is malformed or uses what is not supported
   */
  static fromJson(tokenizerJson: object, files: TokenizerFiles, name: string): Tokenizer {
    return new Tokenizer(readTokenizerJson(tokenizerJson, name), (tokens) => folderSpecialTokens(files, tokens, name));
  }

  /**
   * A tokenizer from a GGUF's metadata.
   *
   * @param metadata gives the value of a metadata key, or undefined
   * @param name the file's name, for errors
   * @throws FormatError when the vocabulary is malformed, or of a kind or with a pre-tokenizer that is not known
   */
  static fromGguf(metadata: (key: string) => unknown, name: string): Tokenizer {
    return new Tokenizer(ggufVocabulary(metadata, name), (tokens) => ggufSpecialTokens(metadata, tokens, name));
  }

  /**
   * The tokens of a text. No token is added to it; special tokens written in it are plain text, unless `special` is true. A megabyte
   * takes some tenths of a second, in which nothing else runs: `encodeInSteps` gives way in between.
   *
   * @throws ArgumentError when `text` is not a string
   * @throws FormatError when a pattern of the file takes too long on this text, or the vocabulary has nothing for a character of it
   */
  encode(text: string, options: { special?: boolean } = {}): Int32Array {
    if (typeof text !== "string") throw new ArgumentError(`encode takes a string, not ${show(text)}`);
    checkOptions(options, ["special"], "encode");
    const encoder = this.encoder();
    return joined([encoder.push(text, options), encoder.end()]);
  }

  /** @internal The tokens of a plain text in steps of some milliseconds each, for a caller who lets other work go on in between. */
  *encodeInSteps(text: string): Generator<Int32Array, void, void> {
    const encoder = this.encoder();
    yield* encoder.pushInSteps(text);
    yield* encoder.endInSteps();
  }

  /** @internal An encoder for a text that comes in pieces. */
  encoder(): StreamEncoder {
    return new StreamEncoder(this.#pipeline);
  }

  /**
   * The text of tokens; bytes that make no character become U+FFFD, as in Python's tokenizers.
   *
   * @throws ArgumentError when an id is not in the vocabulary, or `tokens` is no list of them
   */
  decode(tokens: Iterable<number>, options: { skipSpecial?: boolean } = {}): string {
    checkOptions(options, ["skipSpecial"], "decode");
    const isList = typeof tokens === "object" && tokens !== null && Symbol.iterator in tokens;
    if (!isList) throw new ArgumentError(`decode takes a list of tokens, not ${show(tokens)}`);
    const decoder = new StreamDecoder(this, { skipSpecial: options.skipSpecial ?? false });
    let text = "";
    for (const token of tokens) text += decoder.push(token);
    return text + decoder.flush();
  }

  /**
   * The vocabulary's own spelling of a token: "Ġthe" where `decode` gives " the".
   *
   * @throws ArgumentError when the id is not in the vocabulary
   */
  tokenText(token: number): string {
    const entry = this.#entry(token);
    if (entry === undefined)
      throw new ArgumentError(`token ${show(token)} is not in the vocabulary of ${this.vocabularySize}`);
    return entry;
  }

  /**
   * The bytes of UTF-8 that a token stands for: possibly a part of a character.
   *
   * @throws ArgumentError when the id is not in the vocabulary
   */
  tokenBytes(token: number): Uint8Array {
    const entry = this.tokenText(token);
    if (!this.#added.has(token)) return spelledBytes(entry, this.#spelling);
    // A mark in an added token stands for a space too.
    return new TextEncoder().encode(this.#spelling === "metaspace" ? entry.replaceAll("▁", " ") : entry);
  }

  /** Whether a token is a special one, which only a prompt's frame should hold. */
  isSpecial(token: number): boolean {
    return this.#added.get(token)?.special ?? false;
  }

  #entry(token: number): string | undefined {
    return this.#tokens.text(token) ?? this.#added.get(token)?.content;
  }
}
