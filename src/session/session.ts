/** A session: one cache over a model, to prefill, decode, compress, read documents into and ask. */
import type { KeyValueCache, Scheme } from "../cache/cache.ts";
import type { CacheForm } from "../cache/page-form.ts";
import { ArgumentError, ContextError, DisposedError } from "../errors.ts";
import type { Model } from "../model/model.ts";
import type { Target } from "../press/budget.ts";
import { selectAll } from "../press/choose.ts";
import type { PassPress, Press, PressSteps, QuestionPress, StepsPress } from "../press/press.ts";
import { siskin } from "../press/siskin.ts";
import { type CapsuleState, writeCapsule } from "./capsule.ts";
import { keepSelected, type OptionalBudget, targetOf, viewCache } from "./compress.ts";
import { type DocumentText, documentTokens } from "./document.ts";
import { type EndlessOptions, forgetting } from "./endless.ts";
import { type GenerateOptions, generateText } from "./generate.ts";
import { GENERIC_QUESTIONS } from "./generic-questions.ts";
import { type ReadProgress, readChunks } from "./read.ts";
import { Recorder } from "./recorder.ts";

/** How a session's cache works. */
export interface SessionOptions {
  /** `contiguous` (default) re-rotates survivors to 0..n-1; `original` leaves them where they stood in the text. */
  readonly scheme?: Scheme | undefined;
  /** `f32` (default), or `q8`: 8 bits with a scale for each entry and 32 dimensions, at little over a quarter of the memory. */
  readonly cache?: CacheForm | undefined;
  /** Positions that may be used before the session counts as full; default the model's window. */
  readonly window?: number | undefined;
}

/** How a document is read. */
export interface ReadOptions {
  /** What will be asked; all share one reading. Where it is not known, default a few generic questions. */
  readonly questions?: string | readonly string[] | undefined;
  /** Default `siskin()`. A press that scores without questions compresses behind each chunk. */
  readonly press?: QuestionPress | PassPress | undefined;
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
  /** A press that goes on compressing after every pass. */
  #course: { press: StepsPress; steps: PressSteps; target: Target } | undefined;
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
   * @param options a press and a budget, to compress after the pass; a press for decoding goes on after every later one
   * @returns logits of the last token, [vocabulary]
   * @throws ArgumentError for no tokens, tokens outside the vocabulary, or what the press cannot do; ContextError when
   * the window is full
   */
  prefill(tokens: ArrayLike<number>, options?: { press: PassPress | StepsPress } & OptionalBudget): Float32Array {
    const cache = this.#live();
    const target = options && targetOf(options, options.press, cache);
    if (options?.press.kind === "steps") {
      this.#course = { press: options.press, steps: options.press.begin(), target: target! };
    }
    const press = options?.press.kind === "steps" ? undefined : options?.press;
    const wanted = Math.max(press?.needs?.queryRows ?? 0, this.#course?.press.needs?.queryRows ?? 0);
    const { core, config, decoder } = this.model;
    const recorder = new Recorder(core, config, wanted > 0 ? ["queries"] : [], tokens.length, wanted);
    const rows = this.#run(tokens, { recorder });
    const logits = decoder.logits(rows - 1, 1);
    if (press || this.#course) {
      const view = viewCache(this.model, cache, Int32Array.from(tokens), recorder);
      if (press) keepSelected(this.model, cache, selectAll(press, view, target!));
      const selections = this.#course?.steps.step(view, this.#course.target, tokens.length);
      if (selections) keepSelected(this.model, cache, selections);
    }
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
    const each = (first: number, count: number) => {
      const logits = this.model.decoder.logits(0, count);
      for (let row = 0; row < count && first + row + 1 < tokens.length; row++) {
        const values = logits.subarray(row * vocabularySize, (row + 1) * vocabularySize);
        const largest = values.reduce((a, b) => Math.max(a, b));
        const sum = values.reduce((total, value) => total + Math.exp(value - largest), 0);
        result[first + row] = largest + Math.log(sum) - values[tokens[first + row + 1]!]!;
      }
    };
    this.#run(tokens, { each });
    return result;
  }

  /**
   * Keeps what a press chooses and frees the rest.
   * @throws ArgumentError for a press that needs more than keys, values and positions, or the budget that it lacks
   */
  compress(press: Press, budget: OptionalBudget = {}): void {
    const cache = this.#live();
    if (press.kind === "question") {
      throw new ArgumentError(
        `The ${press.name} press scores by questions: use session.read(text, { questions, press })`,
      );
    }
    if (press.kind !== "score" && press.kind !== "select") {
      throw new ArgumentError(
        `The ${press.name} press compresses after a pass: use session.prefill(tokens, { press })`,
      );
    }
    if (press.needs) {
      throw new ArgumentError(`The ${press.name} press looks at queries: use session.prefill(tokens, { press })`);
    }
    const { core, config } = this.model;
    const view = viewCache(this.model, cache, new Int32Array(0), new Recorder(core, config, [], 0));
    keepSelected(this.model, cache, selectAll(press, view, targetOf(budget, press, cache)));
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
   * starts with the head of the model's prompt; one that has read goes on behind what it kept, which the new questions
   * score again, so that what an aborted reading left over, or another document, may follow.
   * @param text the document: a string, its tokens, or pieces of text as they arrive
   * @throws ArgumentError, ContextError when budget, chunk and questions exceed the window; what `signal` gives when
   * aborted: the session then holds what was read before, and `read(tokens.subarray(progress.documentTokens), ...)`
   * goes on as if nothing had happened
   */
  async read(text: DocumentText, options: ReadOptions = {}): Promise<void> {
    const cache = this.#live();
    const { budget = DEFAULT_BUDGET, chunkLength = DEFAULT_CHUNK, press = siskin(), onProgress, signal } = options;
    const { tokenizer, prompt } = this.model;
    const { questions: asked = GENERIC_QUESTIONS } = options;
    const questions = typeof asked === "string" ? [asked] : asked;
    const head = cache.absolutePosition === 0 ? prompt.head : new Int32Array(0);
    const { tokens, total } = documentTokens(text, head, tokenizer);
    await readChunks(
      {
        model: this.model,
        cache,
        press,
        budget,
        chunkLength,
        questions: questions.map((question) => prompt.question(question)),
        window: this.#window,
        headLength: head.length,
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
   * Goes on with a text, in this session; with a budget, for ever: whatever is generated later in this session then goes
   * on in constant memory, in the contiguous scheme.
   * @param prompt text read as it is, without template; special tokens in it are text
   * @returns pieces of the text that follows
   * @throws as `prefill`
   */
  async *generate(prompt: string, options: GenerateOptions & EndlessOptions = {}): AsyncGenerator<string, void, void> {
    const { tokenizer } = this.model;
    const begin = this.absolutePosition === 0 && tokenizer.bosToken !== undefined ? [tokenizer.bosToken] : [];
    const forget = forgetting(options, this.#window);
    if (forget && this.#live().longest > forget.budget) this.compress(forget.press, { budget: forget.budget });
    const logits = this.prefill([...begin, ...tokenizer.encode(prompt)], forget && { press: forget.steps });
    yield* generateText(this, tokenizer, logits, options);
  }

  /** A session of the same content; pages are shared until one of the two writes to them. */
  fork(): Session {
    const copy = new Session(this.model, this.#live().fork(), this.#window);
    if (this.#course) copy.#course = { ...this.#course, steps: this.#course.steps.fork() };
    return this.model.adopt(copy);
  }

  /**
   * The session as bytes, a capsule, for `model.openSession(bytes)` on any runtime with the same model: a safetensors
   * file of the kept entries, with the model's fingerprint and a checksum.
   * @throws ArgumentError when a press goes on compressing this session, whose course cannot be saved
   */
  save(): Uint8Array<ArrayBuffer> {
    if (this.#course) {
      throw new ArgumentError(
        `The ${this.#course.press.name} press goes on in this session, and its course cannot be saved`,
      );
    }
    return writeCapsule(this.#live(), this.#window, this.model.fingerprint);
  }

  /** Fills an empty session; for `model.openSession`. @throws MemoryError */
  restore({ heads, absolutePosition }: CapsuleState): void {
    this.#live().restore(heads, absolutePosition);
  }

  /** Frees the cache. Using the session afterwards throws DisposedError; disposing again does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#cache.dispose();
    this.model.forget(this);
  }

  /** Runs tokens in batches; `each` hears of every batch, the recorder keeps its rows. @returns rows of the last batch */
  #run(
    tokens: ArrayLike<number>,
    { each, recorder }: { each?: (first: number, count: number) => void; recorder?: Recorder } = {},
  ): number {
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
      if (recorder) {
        recorder.batch(first, count, (record) => this.model.decoder.forward(cache, { text, record, hidden: true }));
      } else {
        this.model.decoder.forward(cache, { text, hidden: true });
      }
      each?.(first, count);
    }
    return count;
  }

  #live(): KeyValueCache {
    if (this.#disposed) throw new DisposedError("This session has been disposed");
    return this.#cache;
  }
}
