/** Text to tokens and back, from a tokenizer.json or a GGUF's vocabulary. */
import { ArgumentError, FormatError } from "../errors.ts";
import { show } from "../show.ts";
import { ChatTemplate } from "./chat-template.ts";
import { ggufVocabulary } from "./gguf-vocabulary.ts";
import type { TokenTable } from "./models/token-table.ts";
import { StreamDecoder } from "./stream-decoder.ts";
import { type Pipeline, StreamEncoder } from "./stream-encoder.ts";
import { type Spelling, spelledBytes } from "./token-bytes.ts";
import { readTokenizerJson, type Vocabulary } from "./tokenizer-json.ts";
import { joined } from "./tokens.ts";

/** What a tokenizer takes from the files around it: the fields of config.json, generation_config.json and tokenizer_config.json, merged in this order. */
interface TokenizerConfig {
  bos_token?: unknown;
  eos_token?: unknown;
  bos_token_id?: unknown;
  eos_token_id?: unknown;
  chat_template?: unknown;
}

// Special tokens that end a turn, though some models' configurations name only the end of a document.
const turnEnds = [
  "<|im_end|>",
  "<|end|>",
  "<|eot_id|>",
  "<|eom_id|>",
  "<end_of_turn>",
  "<|end_of_turn|>",
  "<end_of_utterance>",
];

/** Turns text into token ids and back; what `model.tokenizer` is. */
export class Tokenizer {
  /** Highest token id + 1. The model's own table may be larger (padding). */
  readonly vocabularySize: number;
  /** Id of the token that begins a document, if the model has one. `encode` never adds it. */
  readonly bosToken: number | undefined;
  /** Ids of the tokens that end an answer, ascending. */
  readonly eosTokens: readonly number[];
  /** The model's chat template, if it has one. */
  readonly chatTemplate: ChatTemplate | undefined;
  /** Whether decoding drops a space at the very beginning, as SentencePiece vocabularies do. */
  readonly dropsFirstSpace: boolean;

  readonly #spelling: Spelling;
  readonly #tokens: TokenTable;
  readonly #pipeline: Pipeline;
  readonly #added = new Map<number, { content: string; special: boolean }>();

  private constructor(vocabulary: Vocabulary, config: TokenizerConfig, name: string) {
    this.#spelling = vocabulary.spelling;
    this.vocabularySize = vocabulary.size;
    this.dropsFirstSpace = vocabulary.dropsFirstSpace;
    this.#tokens = vocabulary.tokens;
    this.#pipeline = vocabulary.pipeline;
    const { addedTokens } = vocabulary;
    for (const { id, content, special } of addedTokens) this.#added.set(id, { content, special });

    const idOf = (value: unknown): number | undefined => {
      const content = typeof value === "object" && value !== null && "content" in value ? value.content : value;
      const added = addedTokens.find((token) => token.content === content);
      if (added || typeof content !== "string") return added?.id;
      const id = this.#tokens.id(content);
      return id < 0 ? undefined : id;
    };
    const checked = (id: unknown, key: string): number => {
      const number = typeof id === "bigint" ? Number(id) : id;
      // A model may name an end token that its tokenizer lacks: it is kept as long as it can be an id at all.
      if (typeof number !== "number" || !Number.isInteger(number) || number < 0)
        throw new FormatError(name, `${key} is not a token id: ${String(id)}`);
      return number;
    };
    this.bosToken = config.bos_token_id == null ? idOf(config.bos_token) : checked(config.bos_token_id, "bos_token_id");
    const ends = [config.eos_token_id ?? []].flat().map((id) => checked(id, "eos_token_id"));
    for (const { id, content, special } of addedTokens) if (special && turnEnds.includes(content)) ends.push(id);
    const named = idOf(config.eos_token);
    if (named !== undefined) ends.push(named);
    this.eosTokens = [...new Set(ends)].sort((a, b) => a - b);

    const spelled = (id: number | undefined) => (id !== undefined && this.#entry(id)) || "";
    this.chatTemplate = ChatTemplate.from(
      config.chat_template,
      { bos_token: spelled(this.bosToken), eos_token: spelled(named ?? ends[0]) },
      name,
    );
  }

  /**
   * A tokenizer from the contents of a tokenizer.json.
   *
   * @param tokenizerJson the parsed file
   * @param config the fields of config.json, generation_config.json and tokenizer_config.json, merged in this order
   * @param name the file's name, for errors
   * @throws FormatError when the file is malformed or uses what is not supported
   */
  static fromJson(tokenizerJson: object, config: object, name: string): Tokenizer {
    return new Tokenizer(readTokenizerJson(tokenizerJson, name), config as TokenizerConfig, name);
  }

  /**
   * A tokenizer from a GGUF's metadata.
   *
   * @param metadata gives the value of a metadata key, or undefined
   * @param name the file's name, for errors
   * @throws FormatError when the vocabulary is malformed, or of a kind or with a pre-tokenizer that is not known
   */
  static fromGguf(metadata: (key: string) => unknown, name: string): Tokenizer {
    const { vocabulary, config } = ggufVocabulary(metadata, name);
    return new Tokenizer(vocabulary, config, name);
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
    const encoder = this.encoder();
    return joined([encoder.push(text, options), encoder.end()]);
  }

  /** The tokens of a plain text in steps of some milliseconds each, for a caller who lets other work go on in between. */
  *encodeInSteps(text: string): Generator<Int32Array, void, void> {
    const encoder = this.encoder();
    yield* encoder.pushInSteps(text);
    yield* encoder.endInSteps();
  }

  /** An encoder for a text that comes in pieces. */
  encoder(): StreamEncoder {
    return new StreamEncoder(this.#pipeline);
  }

  /**
   * The text of tokens; bytes that make no character become U+FFFD, as in Python's tokenizers.
   *
   * @throws ArgumentError when an id is not in the vocabulary
   */
  decode(tokens: Iterable<number>, options: { skipSpecial?: boolean } = {}): string {
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
