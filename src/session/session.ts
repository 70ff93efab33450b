/** A session: one cache over a model, to prefill, decode, compress, read documents into and ask. */
import { type Scheme, KeyValueCache } from "../cache/cache.ts";
import { ArgumentError, ContextError, DisposedError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import { type Budget, entriesToKeep } from "../press/budget.ts";
import { highest } from "../press/choose.ts";
import type { Press, QuestionPress, ScorePress } from "../press/press.ts";
import { siskin } from "../press/siskin.ts";
import { documentTokens, type DocumentText } from "./document.ts";
import { type GenerateOptions, generateText } from "./generate.ts";
import { type ReadProgress, readChunks } from "./read.ts";

/** How a session's cache works. */
export interface SessionOptions {
  /** `contiguous` (default) re-rotates survivors to 0..n-1; `original` leaves them where they stood in the text. */
  readonly scheme?: Scheme | undefined;
  /** Positions that may be used before the session counts as full; default the model's window. */
  readonly window?: number | undefined;
}

/** How a document is read. */
export interface ReadOptions {
  /** What will be asked; all share one reading. */
  readonly questions: string | readonly string[];
  /** Default `siskin()`. */
  readonly press?: QuestionPress | undefined;
  /** Entries that every head keeps; default 512. */
  readonly budget?: number | undefined;
  /** Tokens read at once; default 512. */
  readonly chunkLength?: number | undefined;
  readonly onProgress?: ((progress: ReadProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const DEFAULT_BUDGET = 512;
const DEFAULT_CHUNK = 512;
/** Tokens of text run through the layers at once. */
const MAXIMUM_ROWS = 512;

/** Made by `model.createSession()`. Memory is held until `dispose()`. */
export class Session {
  readonly model: Model;
  readonly #cache: KeyValueCache;
  readonly #window: number;
  #disposed = false;

  /** For `Model` and `fork()`; use `model.createSession()`. */
  constructor(model: Model, cache: KeyValueCache, window: number) {
    this.model = model;
    this.#cache = cache;
    this.#window = window;
  }

  get scheme(): Scheme {
    return this.#cache.scheme;
  }

  /** Tokens read so far, kept or not. */
  get absolutePosition(): number {
    return this.#live().absolutePosition;
  }

  /** Entries that a KV head of a layer holds. */
  cacheLength(layer: number, head: number): number {
    return this.#live().length(layer, head);
  }

  /** Where each kept entry stood: [cacheLength], 0 being the session's first token. */
  positions(layer: number, head: number): Int32Array {
    return this.#live().positions(layer, head);
  }

  /** A KV head's keys as they are rotated now: [cacheLength, headSize]. */
  keys(layer: number, head: number): Float32Array {
    return this.#live().keys(layer, head);
  }

  /** A KV head's values: [cacheLength, headSize]. */
  values(layer: number, head: number): Float32Array {
    return this.#live().values(layer, head);
  }

  /** Bytes that the cache holds: its pages, shared with forks or not, and their table. */
  get byteLength(): number {
    return this.#live().byteLength;
  }

  /**
   * Reads tokens as they are.
   * @param options a score press and a budget, to compress after the pass
   * @returns logits of the last token, [vocabulary]
   * @throws ArgumentError for no tokens or tokens outside the vocabulary; ContextError when the window is full
   */
  prefill(tokens: ArrayLike<number>, options?: { press: ScorePress } & Budget): Float32Array {
    const rows = this.#run(tokens);
    const logits = this.model.decoder.logits(rows - 1, 1);
    if (options) this.compress(options.press, options);
    return logits;
  }

  /** Reads one token more. @returns its logits, [vocabulary] @throws as `prefill` */
  decode(token: number): Float32Array {
    return this.prefill([token]);
  }

  /**
   * How surprising each token is after those before it.
   * @returns [tokens - 1] negative log likelihoods in nats
   * @throws as `prefill`
   */
  negativeLogLikelihoods(tokens: ArrayLike<number>): Float32Array {
    const result = new Float32Array(Math.max(0, tokens.length - 1));
    const { vocabularySize } = this.model.config;
    this.#run(tokens, (first, count) => {
      const logits = this.model.decoder.logits(0, count);
      for (let row = 0; row < count && first + row + 1 < tokens.length; row++) {
        const values = logits.subarray(row * vocabularySize, (row + 1) * vocabularySize);
        const largest = values.reduce((a, b) => Math.max(a, b));
        const sum = values.reduce((total, value) => total + Math.exp(value - largest), 0);
        result[first + row] = largest + Math.log(sum) - values[tokens[first + row + 1]!]!;
      }
    });
    return result;
  }

  /**
   * Keeps the highest scores of every KV head and frees the rest.
   * @throws ArgumentError for a press that needs more than keys, values and positions
   */
  compress(press: Press, budget: Budget): void {
    const cache = this.#live();
    if (press.kind === "question") {
      throw new ArgumentError(`The ${press.name} press scores by questions: use session.read(text, { questions, press })`);
    }
    const { core, decoder } = this.model;
    const chosen = Array.from({ length: cache.layers }, (_, layer) => {
      const scores = press.score({
        layer,
        keyHeads: cache.keyHeads,
        headSize: cache.headSize,
        length: (head) => cache.length(layer, head),
        keys: (head) => cache.keys(layer, head),
        values: (head) => cache.values(layer, head),
        positions: (head) => cache.positions(layer, head),
      });
      return scores.map((list, head) => highest(core, list, entriesToKeep(cache.length(layer, head), budget)));
    });
    cache.keep((layer, head) => chosen[layer]![head]!, decoder.rotations);
  }

  /**
   * Keeps the given entries and frees the rest.
   * @param indices for each layer and KV head the entries to keep, strictly ascending; lengths may differ
   * @throws ArgumentError when they do not ascend or point beyond the cache
   */
  keep(indices: readonly (readonly ArrayLike<number>[])[]): void {
    const lists = indices.map((layer) => layer.map((list) => Int32Array.from(list)));
    this.#live().keep((layer, head) => {
      const list = lists[layer]?.[head];
      if (!list) throw new ArgumentError(`There are no indices for layer ${layer}, head ${head}`);
      return list;
    }, this.model.decoder.rotations);
  }

  /**
   * Reads a document of any length in fixed memory, keeping what the questions need. A session that holds nothing yet
   * starts with the head of the model's prompt.
   * @param text the document: a string, its tokens, or pieces of text as they arrive
   * @throws ArgumentError, ContextError when budget, chunk and questions exceed the window; what `signal` gives when
   * aborted: the session then holds what was read before
   */
  async read(text: DocumentText, options: ReadOptions): Promise<void> {
    const cache = this.#live();
    const { budget = DEFAULT_BUDGET, chunkLength = DEFAULT_CHUNK, press = siskin(), onProgress, signal } = options;
    const { core, decoder, tokenizer, prompt } = this.model;
    const questions = typeof options.questions === "string" ? [options.questions] : options.questions;
    const head = cache.absolutePosition === 0 ? prompt.head : new Int32Array(0);
    const { tokens, total } = documentTokens(text, head, tokenizer);
    await readChunks(
      {
        core,
        decoder,
        cache,
        press,
        budget,
        chunkLength,
        questions: questions.map((question) => prompt.question(question)),
        window: this.#window,
        tokensTotal: total,
        onProgress,
        signal,
      },
      tokens,
    );
  }

  /**
   * Asks about what was read, on a fork: the session stays as it is, and questions do not see each other.
   * @returns pieces of the answer's text
   * @throws as `read`
   */
  async *ask(question: string, options: GenerateOptions = {}): AsyncGenerator<string, void, void> {
    const { prompt, tokenizer } = this.model;
    const fork = this.fork();
    try {
      const head = fork.absolutePosition === 0 ? [...prompt.head] : [];
      const logits = fork.prefill([...head, ...prompt.question(question)]);
      yield* generateText(fork, tokenizer, logits, options);
    } finally {
      fork.dispose();
    }
  }

  /**
   * Goes on with a text, in this session.
   * @param prompt text read as it is, without template; special tokens in it are text
   * @returns pieces of the text that follows
   * @throws as `prefill`
   */
  async *generate(prompt: string, options: GenerateOptions = {}): AsyncGenerator<string, void, void> {
    const { tokenizer } = this.model;
    const begin = this.absolutePosition === 0 && tokenizer.bosToken !== undefined ? [tokenizer.bosToken] : [];
    const logits = this.prefill([...begin, ...tokenizer.encode(prompt)]);
    yield* generateText(this, tokenizer, logits, options);
  }

  /** A session of the same content; pages are shared until one of the two writes to them. */
  fork(): Session {
    return this.model.adopt(new Session(this.model, this.#live().fork(), this.#window));
  }

  /** Frees the cache. Using the session afterwards throws DisposedError; disposing again does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#cache.dispose();
    this.model.forget(this);
  }

  /** Runs tokens in batches; `each` hears of every batch. @returns rows of the last batch */
  #run(tokens: ArrayLike<number>, each?: (first: number, count: number) => void): number {
    const cache = this.#live();
    if (tokens.length === 0) throw new ArgumentError("There are no tokens to read");
    const used = cache.scheme === "contiguous" ? cache.longest : cache.absolutePosition;
    if (used + tokens.length > this.#window) {
      throw new ContextError(
        `${tokens.length} tokens behind ${used} exceed the window of ${this.#window} positions; compress, or read the text in chunks`,
      );
    }
    const all = Int32Array.from(tokens);
    let count = 0;
    for (let first = 0; first < all.length; first += count) {
      const text = all.subarray(first, first + MAXIMUM_ROWS);
      count = text.length;
      this.model.decoder.forward(cache, { text, hidden: true });
      each?.(first, count);
    }
    return count;
  }

  #live(): KeyValueCache {
    if (this.#disposed) throw new DisposedError("This session has been disposed");
    return this.#cache;
  }
}
