/** Text to tokens and back, from a tokenizer.json or a GGUF's vocabulary, on @huggingface/tokenizers. */
import { Tokenizer as LibraryTokenizer, type Model as TokenizerModel } from "@huggingface/tokenizers";
import { ArgumentError, FormatError } from "../errors.ts";
import type { ChatTemplate } from "./chat-template.ts";
import { ggufVocabulary } from "./gguf-vocabulary.ts";
import {
  folderSpecialTokens,
  ggufSpecialTokens,
  type SpecialTokens,
  type TokenizerFiles,
  type TokenLookup,
} from "./special-tokens.ts";
import { StreamDecoder } from "./stream-decoder.ts";
import { type Spelling, spelledBytes } from "./token-bytes.ts";
import { readTokenizerJson, type Vocabulary } from "./tokenizer-json.ts";

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
  /** Whether a plain text may be cut where `lastSafeCut` says, without changing its tokens. */
  readonly cutsAreSafe: boolean;
  /** Whether decoding drops a space at the very beginning, as SentencePiece vocabularies do. */
  readonly dropsFirstSpace: boolean;

  readonly #spelling: Spelling;
  readonly #plain: LibraryTokenizer;
  readonly #withSpecial: LibraryTokenizer;
  readonly #added = new Map<number, { content: string; special: boolean }>();

  private constructor(vocabulary: Vocabulary, special: (tokens: TokenLookup) => SpecialTokens, name: string) {
    this.#spelling = vocabulary.spelling;
    this.vocabularySize = vocabulary.size;
    this.cutsAreSafe = vocabulary.cutsAreSafe;
    this.dropsFirstSpace = vocabulary.dropsFirstSpace;
    const { addedTokens, model } = vocabulary;
    try {
      this.#withSpecial = libraryTokenizer(vocabulary, model, addedTokens);
      const none = { type: "BPE", vocab: {}, merges: [] };
      this.#plain = libraryTokenizer(
        vocabulary,
        none,
        addedTokens.filter((token) => !token.special),
      );
    } catch (error) {
      throw new FormatError(name, `the tokenizer cannot be built: ${(error as Error).message}`);
    }
    // One vocabulary serves both, and the library needs the lists it was built from no more: 12 and 8 MB less for 49,152 entries.
    const shared = this.#withSpecial.model as TokenizerModel & { merges: unknown[] };
    this.#plain.model = shared;
    shared.merges = [];
    model.merges = [];
    model.vocab = {};
    for (const { id, content, special } of addedTokens) {
      this.#added.set(id, { content, special });
      // Special tokens are found by their own list; with this entry gone no run of plain text can end up as one.
      if (special) shared.tokens_to_ids.delete(content);
    }

    const found = special({
      size: vocabulary.size,
      idOf: (content) =>
        addedTokens.find((token) => token.content === content)?.id ?? this.#withSpecial.token_to_id(content),
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
    const special = (tokens: TokenLookup) => folderSpecialTokens(files, tokens, name);
    return new Tokenizer(readTokenizerJson(tokenizerJson, name), special, name);
  }

  /**
   * A tokenizer from a GGUF's metadata.
   *
   * @param metadata gives the value of a metadata key, or undefined
   * @param name the file's name, for errors
   * @throws FormatError when the vocabulary is malformed, or of a kind or with a pre-tokenizer that is not known
   */
  static fromGguf(metadata: (key: string) => unknown, name: string): Tokenizer {
    const special = (tokens: TokenLookup) => ggufSpecialTokens(metadata, tokens, name);
    return new Tokenizer(readTokenizerJson(ggufVocabulary(metadata, name), name), special, name);
  }

  /**
   * The tokens of a text. No token is added to it; special tokens written in it are plain text, unless `special` is true.
   *
   * @throws ArgumentError when `text` is not a string
   */
  encode(text: string, options: { special?: boolean } = {}): Int32Array {
    if (typeof text !== "string") throw new ArgumentError(`encode takes a string, not ${typeof text}`);
    const library = options.special ? this.#withSpecial : this.#plain;
    return Int32Array.from(library.encode(text, { add_special_tokens: false }).ids);
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
      throw new ArgumentError(`token ${token} is not in the vocabulary of ${this.vocabularySize}`);
    return entry;
  }

  /**
   * The bytes of UTF-8 that a token stands for: possibly a part of a character.
   *
   * @throws ArgumentError when the id is not in the vocabulary
   */
  tokenBytes(token: number): Uint8Array {
    const entry = this.tokenText(token);
    return this.#added.has(token) ? new TextEncoder().encode(entry) : spelledBytes(entry, this.#spelling);
  }

  /** Whether a token is a special one, which only a prompt's frame should hold. */
  isSpecial(token: number): boolean {
    return this.#added.get(token)?.special ?? false;
  }

  #entry(token: number): string | undefined {
    return this.#withSpecial.id_to_token(token);
  }
}

function libraryTokenizer(vocabulary: Vocabulary, model: object, addedTokens: readonly object[]): LibraryTokenizer {
  return new LibraryTokenizer(
    {
      normalizer: vocabulary.normalizer,
      pre_tokenizer: vocabulary.preTokenizer,
      model,
      // It would add the tokens around a text that `encode` promises not to add.
      post_processor: null,
      decoder: null,
      added_tokens: addedTokens,
    },
    { clean_up_tokenization_spaces: false },
  );
}
