/** Text to tokens and back, from a tokenizer.json or a GGUF's vocabulary, on @huggingface/tokenizers. */
import { Tokenizer as LibraryTokenizer, type Model as TokenizerModel } from "@huggingface/tokenizers";
import { ArgumentError, FormatError } from "../errors.ts";
import { ChatTemplate } from "./chat-template.ts";
import { ggufVocabulary } from "./gguf-vocabulary.ts";
import { StreamDecoder } from "./stream-decoder.ts";
import { type Spelling, spelledBytes } from "./token-bytes.ts";
import { readTokenizerJson, type Vocabulary } from "./tokenizer-json.ts";

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
  /** Whether a plain text may be cut where `lastSafeCut` says, without changing its tokens. */
  readonly cutsAreSafe: boolean;
  /** Whether decoding drops a space at the very beginning, as SentencePiece vocabularies do. */
  readonly dropsFirstSpace: boolean;

  readonly #spelling: Spelling;
  readonly #plain: LibraryTokenizer;
  readonly #withSpecial: LibraryTokenizer;
  readonly #added = new Map<number, { content: string; special: boolean }>();

  private constructor(vocabulary: Vocabulary, config: TokenizerConfig, name: string) {
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

    const idOf = (value: unknown): number | undefined => {
      const content = typeof value === "object" && value !== null && "content" in value ? value.content : value;
      const added = addedTokens.find((token) => token.content === content);
      return added?.id ?? (typeof content === "string" ? this.#withSpecial.token_to_id(content) : undefined);
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
    const { tokenizerJson, config } = ggufVocabulary(metadata, name);
    return Tokenizer.fromJson(tokenizerJson, config, name);
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
