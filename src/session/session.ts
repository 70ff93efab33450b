/** A session: one cache over a model, to prefill, decode, compress, read documents into and ask. */
import type { KeyValueCache, Scheme } from "../cache/cache.ts";
import type { CacheForm } from "../cache/page-form.ts";
import { disposeSymbol } from "../dispose.ts";
import { ArgumentError, BusyError, DisposedError } from "../errors.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Engine } from "../model/engine.ts";
import { checkOptions } from "../options.ts";
import { gathered, pause } from "../pause.ts";
import { BUDGET_OPTIONS, type Budget, targetOf } from "../press/budget.ts";
import type { PassPress, Press, StepsPress } from "../press/press.ts";
import { checkPress, looksAtPass } from "../press/tools/check-press.ts";
import { show } from "../show.ts";
import type { Steps } from "../steps.ts";
import type { Message } from "../tokenizer/chat-template.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { joined } from "../tokenizer/tokens.ts";
import { type CapsuleState, writeCapsule } from "./capsule.ts";
import type { Ongoing } from "./compress.ts";
import { conversationTarget, currentConversation, prepareTurn, readTurn } from "./conversation.ts";
import { forkConversation } from "./conversation-state.ts";
import type { TemplateOptions } from "./conversation-tokens.ts";
import type { DocumentText } from "./document.ts";
import { ENDLESS_OPTIONS, type EndlessOptions, type Forgetting, forgetting } from "./endless.ts";
import {
  type AnswerStart,
  checkedGeneration,
  checkSignal,
  GENERATE_OPTIONS,
  type GenerateOptions,
  type Generation,
  type GenerationTarget,
  generateText,
} from "./generate.ts";
import { Passes } from "./passes.ts";
import { checkedReading, READ_OPTIONS, type ReadOptions, readChunks } from "./read.ts";
import { type AnswerReview, sourcesOf } from "./sources.ts";
import { checkedTokens, isTokenList } from "./tokens.ts";

const NOTHING_READ = { hiddenState: undefined, documentEnd: undefined };

/** How a session's cache works. */
export interface SessionOptions {
  /** `contiguous` (default) re-rotates survivors to 0..n-1; `original` leaves them where they stood in the text. */
  readonly scheme?: Scheme | undefined;
  /** `f32` (default), or `q8`: 8 bits with a scale for each entry and 32 dimensions, at little over a quarter of the memory. */
  readonly cache?: CacheForm | undefined;
  /** Positions that may be used before the session counts as full; default the model's window. */
  readonly contextSize?: number | undefined;
  /** @deprecated until 1.0: `contextSize` */
  readonly window?: number | undefined;
}

/** How a conversation is rendered, answered, and forgotten where the window ends. */
export interface ChatOptions extends GenerateOptions, EndlessOptions, TemplateOptions {}

/**
 * Made by `model.createSession()`. Memory is held until `dispose()`.
 *
 * What holds for every call: it does its work or leaves the session as it was, cache, positions and memory, and throws a
 * SiskinError that says what was wrong (an abort throws the signal's own reason, a callback its own error). Of the calls
 * that go on for a while, `read` does its work chunk by chunk and `generate` token by token: what was read of the
 * document, or shown of the text, before an error or abort stays. One call at a time changes a session: while `read` or
 * `generate` goes on, others that would change it throw BusyError; looking at it, `fork`, `save`, `ask` and `dispose`
 * are free.
 */
export class Session {
  readonly #engine: Engine;
  /** The sessions of the model that live. */
  readonly #sessions: Set<Session>;
  readonly #passes: Passes;
  /** The call that is changing the session, and whether it is doing so at this moment. */
  #running: string | undefined;
  #stepping = false;
  #disposed = false;
  /** Stops a reading that waits. */
  #stop: AbortController | undefined;

  /** @internal For `Model` and `fork()`; use `model.createSession()`. */
  constructor(
    engine: Engine,
    sessions: Set<Session>,
    cache: KeyValueCache,
    contextSize: number,
    { hiddenState, documentEnd }: Pick<CapsuleState, "hiddenState" | "documentEnd"> = NOTHING_READ,
    ongoing?: Ongoing,
  ) {
    this.#engine = engine;
    this.#sessions = sessions;
    this.#passes = new Passes(engine, cache, contextSize, () => void this.#live());
    this.#passes.hiddenState = hiddenState;
    this.#passes.documentEnd = documentEnd;
    this.#passes.ongoing = ongoing;
    sessions.add(this);
  }

  /** The model's configuration. */
  get config(): ModelConfig {
    return this.#engine.config;
  }

  /** The model's tokenizer. @throws FormatError where the model came without one */
  get tokenizer(): Tokenizer {
    return this.#engine.tokenizer;
  }

  get scheme(): Scheme {
    return this.#passes.cache.scheme;
  }

  /** Tokens read so far, kept or not. */
  get absolutePosition(): number {
    return this.#live().cache.absolutePosition;
  }

  /** Entries that a KV head of a layer holds. */
  cacheLength(layer: number, head: number): number {
    return this.#live().cache.length(layer, head);
  }

  /** Where each kept entry stood: [cacheLength], 0 being the session's first token. */
  positions(layer: number, head: number): Int32Array {
    return this.#live().cache.positions(layer, head);
  }

  /** A KV head's keys as they are rotated now: [cacheLength, headSize]. */
  keys(layer: number, head: number): Float32Array {
    return this.#settled().cache.keys(layer, head);
  }

  /** A KV head's values: [cacheLength, headSize]. */
  values(layer: number, head: number): Float32Array {
    return this.#settled().cache.values(layer, head);
  }

  /** Bytes that the cache holds: its pages, shared with forks or not, and their table. */
  get byteLength(): number {
    return this.#live().cache.byteLength;
  }

  /**
   * Reads tokens as they are.
   * @param tokens whole numbers below the vocabulary's size, in any kind of list
   * @param options a press and a budget, to compress after the pass; a press for decoding goes on after every later one
   * @returns logits of the last token, [vocabulary]
   * @throws ArgumentError for no tokens, tokens outside the vocabulary, or what the press cannot do; ContextError when
   * the window is full
   */
  prefill(tokens: ArrayLike<number | bigint>, options?: { press: PassPress | StepsPress } & Budget): Float32Array {
    return this.#change("prefill", (passes) => {
      const list = this.#tokens(tokens);
      if (options === undefined) return passes.pass(list);
      checkOptions(options, ["press", ...BUDGET_OPTIONS], "prefill");
      const { press } = options;
      checkPress(press, ["score", "select", "model", "steps"], "press of prefill", false);
      const target = targetOf(options, press, passes.room);
      if (press.kind === "steps") return passes.pass(list, undefined, { press, steps: press.begin(), target });
      return passes.pass(list, { press, target });
    });
  }

  /** Reads one token more. @returns its logits, [vocabulary] @throws as `prefill` */
  decode(token: number): Float32Array {
    return this.#change("decode", (passes) => passes.pass(this.#tokens([token])));
  }

  /**
   * How surprising each token is after those before it.
   * @returns [tokens - 1] negative log likelihoods in nats
   * @throws as `prefill`
   */
  negativeLogLikelihoods(tokens: ArrayLike<number | bigint>): Float32Array {
    return this.#change("negativeLogLikelihoods", (passes) => {
      const list = this.#tokens(tokens);
      const result = new Float32Array(list.length - 1);
      const { vocabularySize } = this.#engine.config;
      passes.pass(list, undefined, passes.ongoing, (logits, first, count) => {
        for (let row = 0; row < count && first + row + 1 < list.length; row++) {
          const values = logits.subarray(row * vocabularySize, (row + 1) * vocabularySize);
          result[first + row] = negativeLogLikelihood(values, list[first + row + 1]!);
        }
      });
      return result;
    });
  }

  /**
   * Keeps what a press chooses and frees the rest.
   * @throws ArgumentError for a press that needs more than keys, values and positions, or the budget that it lacks
   */
  compress(press: Press, budget: Budget = {}): void {
    this.#change("compress", (passes) => {
      checkPress(press, ["score", "select"], "press of compress", false);
      checkOptions(budget, BUDGET_OPTIONS, "compress");
      if (looksAtPass(press)) {
        throw new ArgumentError(`The ${press.name} press looks at queries: use session.prefill(tokens, { press })`);
      }
      passes.compress({ press, target: targetOf(budget, press, passes.room) });
    });
  }

  /**
   * Keeps the given entries and frees the rest. In the contiguous scheme what moves is turned to its new place: each turn
   * adds up to 1e-6 of error to a key of f32 (5e-4 after 1,000 turns), 8-bit keys are turned as they are read and err no more.
   * @param indices for each layer and KV head the entries to keep, strictly ascending; lengths may differ
   * @throws ArgumentError when they do not ascend or point beyond the cache
   */
  keep(indices: readonly (readonly ArrayLike<number>[])[]): void {
    this.#change("keep", ({ cache }) => {
      const { layers, kvHeads } = cache;
      const whole = (list: unknown) => isTokenList(list) && Array.from(list).every((index) => Number.isInteger(index));
      const fits =
        Array.isArray(indices) &&
        indices.length === layers &&
        indices.every((heads) => Array.isArray(heads) && heads.length === kvHeads && heads.every(whole));
      if (!fits) {
        throw new ArgumentError(
          `keep takes a list of whole numbers for each of ${layers} layers of ${kvHeads} KV heads, not ${show(indices)}`,
        );
      }
      const lists = indices.map((heads) => heads.map((list: ArrayLike<number>) => Int32Array.from(list)));
      cache.keep((layer, head) => lists[layer]![head]!);
    });
  }

  /**
   * Reads a document of any length in fixed memory, keeping what the questions need. A session that holds nothing yet
   * starts with the head of the model's prompt; one that has read goes on behind what it kept, which the new questions
   * score again, so that what an aborted reading left over, or another document, may follow.
   * @param text the document: a string, its tokens, or pieces of text as they arrive
   * @throws ArgumentError, ContextError when budget, chunk and questions exceed the window; what `signal` gives when
   * aborted: the session then holds what was read before, and `read(tokens.subarray(progress.documentTokens), ...)`
   * goes on as if nothing had happened; DisposedError when the session is disposed meanwhile
   */
  async read(text: DocumentText, options: ReadOptions = {}): Promise<void> {
    this.#enter("read");
    const stop = new AbortController();
    let signal: AbortSignal | undefined;
    const abort = () => stop.abort(signal?.reason);
    this.#stop = stop;
    try {
      checkOptions(options, READ_OPTIONS, "read");
      checkSignal(options.signal);
      signal = options.signal;
      signal?.throwIfAborted();
      signal?.addEventListener("abort", abort);
      const { reading, document } = await checkedReading(text, options, this.#live(), stop.signal);
      await readChunks(reading, document, {
        steps: (work) => this.#inSteps(work, stop.signal),
        checkLive: () => void this.#live(),
      });
    } finally {
      signal?.removeEventListener("abort", abort);
      this.#stop = undefined;
      this.#running = undefined;
    }
  }

  /**
   * Asks about what was read, on a fork: the session stays as it is, and questions do not see each other.
   * @returns pieces of the answer's text
   * @throws as `read`
   */
  async *ask(question: string, options: GenerateOptions = {}): AsyncGenerator<string, void, void> {
    checkOptions(options, GENERATE_OPTIONS, "ask");
    const generation = checkedGeneration(options, this.#engine);
    const { fork, start } = await this.#asked(question, generation);
    try {
      const { makeRoom, decode } = fork.#target(undefined);
      yield* generateText({ makeRoom, decode }, this.#engine.tokenizer, start, generation);
    } finally {
      fork.dispose();
    }
  }

  /**
   * Several answers to one question, which is read once and answered on forks, one after another; `onToken` and `onEnd` hear of all.
   * @param options as `ask` takes them, and how many answers; with a temperature, answer i is drawn from the seed + i
   * @throws as `read`
   */
  async answers(question: string, options: GenerateOptions & { readonly n: number }): Promise<string[]> {
    checkOptions(options, [...GENERATE_OPTIONS, "n"], "answers");
    const { n } = options;
    if (!Number.isInteger(n) || n < 1) throw new ArgumentError(`n should be a positive whole number and is ${show(n)}`);
    const generation = checkedGeneration(options, this.#engine);
    const { fork, start } = await this.#asked(question, generation);
    const answers: string[] = [];
    try {
      for (let index = 0; index < n; index++) {
        const each = fork.fork();
        try {
          const { makeRoom, decode } = each.#target(undefined);
          const own = { ...start, logits: start.logits.slice() };
          const sampling = { ...generation.sampling, seed: generation.sampling.seed + index };
          let answer = "";
          const pieces = generateText({ makeRoom, decode }, this.#engine.tokenizer, own, { ...generation, sampling });
          for await (const piece of pieces) answer += piece;
          answers.push(answer);
        } finally {
          each.dispose();
        }
      }
    } finally {
      fork.dispose();
    }
    return answers;
  }

  /** A fork that has read a question, and what an answer goes on from. */
  async #asked(question: unknown, { signal }: Generation): Promise<{ fork: Session; start: AnswerStart }> {
    if (typeof question !== "string") throw new ArgumentError(`A question should be a string and is ${show(question)}`);
    const { frame } = this.#engine;
    const fork = this.fork();
    try {
      const steps =
        fork.absolutePosition === 0
          ? frame.aloneInSteps(question)
          : frame.questionInSteps(question, fork.#passes.documentEnd);
      const prompt = joined(await gathered(steps, signal));
      return { fork, start: { logits: fork.prefill(prompt), prompt, cachedTokens: 0 } };
    } catch (error) {
      fork.dispose();
      throw error;
    }
  }

  /**
   * Looks again at an answer to a question about what was read: how likely the model holds it, and where it comes from.
   * On a fork, as `ask`; it costs what reading question and answer costs.
   * @throws ArgumentError for what is no text; otherwise as `read`
   */
  async review(question: string, answer: string): Promise<AnswerReview> {
    for (const text of [question, answer]) {
      if (typeof text !== "string") throw new ArgumentError(`Question and answer are strings, not ${show(text)}`);
    }
    const { frame, tokenizer } = this.#engine;
    const fork = this.fork();
    try {
      const end = fork.absolutePosition;
      const tokens = tokenizer.encode(answer);
      const asked =
        end === 0 ? frame.aloneInSteps(question) : frame.questionInSteps(question, fork.#passes.documentEnd);
      const logits = fork.prefill(joined(await gathered(asked)));
      if (tokens.length === 0) return { likelihood: 0, sources: [] };
      const { cache } = fork.#passes;
      const sources = fork.#step(() => sourcesOf(this.#engine, cache, tokens, frame.head.length, end));
      const rest = fork.negativeLogLikelihoods(tokens);
      const surprise = rest.reduce((sum, value) => sum + value, negativeLogLikelihood(logits, tokens[0]!));
      return { likelihood: Math.exp(-surprise / tokens.length), sources };
    } finally {
      fork.dispose();
    }
  }

  /**
   * Goes on with a text, in this session, which then holds what was shown, to the last token. With a budget, for ever:
   * the session is compressed before it holds more than `budget + every` entries, in the contiguous scheme. Every
   * compression turns the kept keys once more (see `keep`): some 400 in 100,000 tokens by default.
   * @param prompt text read as it is, without template; special tokens in it are text. "" goes on from the last token
   * @returns pieces of the text that follows; until the last has been asked for, or `return()` called, the session is busy
   * @throws ArgumentError for options that cannot be, and "" where there is nothing to go on from; otherwise as `prefill`
   */
  async *generate(prompt: string, options: GenerateOptions & EndlessOptions = {}): AsyncGenerator<string, void, void> {
    this.#enter("generate");
    try {
      checkOptions(options, [...GENERATE_OPTIONS, ...ENDLESS_OPTIONS], "generate");
      const generation = checkedGeneration(options, this.#engine);
      const passes = this.#live();
      const forget = forgetting(options, passes.contextSize, passes.room);
      if (typeof prompt !== "string") throw new ArgumentError(`prompt should be a string and is ${show(prompt)}`);
      const { tokenizer } = this.#engine;
      const text = await gathered(tokenizer.encodeInSteps(prompt), generation.signal);
      this.#live();
      const begin = this.absolutePosition === 0 ? tokenizer.documentStart : [];
      const before = prompt === "" ? [] : [passes.heldBack];
      const tokens = joined([Int32Array.from(begin), ...before, ...text]);
      const logits = this.#step(() => {
        if (tokens.length === 0) return passes.lastLogits();
        const list = this.#tokens(tokens, forget !== undefined);
        return forget ? passes.passForgetting(list, forget) : passes.pass(list);
      });
      const start = { logits, prompt: tokens, cachedTokens: 0 };
      yield* generateText(this.#target(forget), tokenizer, start, generation);
    } finally {
      this.#running = undefined;
    }
  }

  /**
   * Answers a conversation, in this session: of what it holds of the conversation already, from an earlier turn, nothing is read again.
   * The answer's tokens stay, for the next turn. Behind a document that was read, the first message goes on from it as a question does.
   * Where the window ends, older turns are forgotten, as with `generate`, but the system's text and the document stay; by default half of
   * the window is kept then.
   * @param messages the whole conversation so far; special tokens in their texts are text
   * @returns pieces of the assistant's answer; until the last has been asked for, or `return()` called, the session is busy
   * @throws ArgumentError for messages or options that cannot be, and where the model has no chat template; otherwise as `prefill`
   */
  async *chat(messages: readonly Message[], options: ChatOptions = {}): AsyncGenerator<string, void, void> {
    this.#enter("chat");
    try {
      checkOptions(options, [...GENERATE_OPTIONS, ...ENDLESS_OPTIONS, "tools", "templateOptions"], "chat");
      const generation = checkedGeneration(options, this.#engine);
      const passes = this.#live();
      const conversation = currentConversation(passes);
      const { tokens, forget } = prepareTurn(passes, conversation, messages, options);
      const steps = { step: <T>(work: () => T) => this.#step(work), signal: generation.signal };
      const start = await readTurn(passes, conversation, tokens, forget, steps);
      const target = conversationTarget(passes, conversation, this.#target(forget));
      yield* generateText(target, this.#engine.tokenizer, start, generation);
    } finally {
      this.#running = undefined;
    }
  }

  /** A session of the same content; pages are shared until one of the two writes to them. */
  fork(): Session {
    const { cache, contextSize, hiddenState, documentEnd, ongoing, conversation } = this.#settled();
    const forked = ongoing && { ...ongoing, steps: ongoing.steps.fork() };
    const state = { hiddenState, documentEnd };
    const copy = new Session(this.#engine, this.#sessions, cache.fork(), contextSize, state, forked);
    copy.#passes.conversation = forkConversation(conversation);
    return copy;
  }

  /**
   * The session as bytes, a capsule, for `model.openSession(bytes)` on any runtime with the same model: a safetensors
   * file of the kept entries, with the model's fingerprint and a checksum.
   * @throws ArgumentError when a press goes on compressing this session: what it remembers cannot be saved
   */
  save(): Uint8Array<ArrayBuffer> {
    const { cache, contextSize, hiddenState, documentEnd, ongoing } = this.#settled();
    if (ongoing) {
      throw new ArgumentError(
        `The ${ongoing.press.name} press goes on in this session, and what it remembers cannot be saved`,
      );
    }
    // What was dropped is not passed on, and of the last token not what it came to either.
    const last = cache.holdsLast ? hiddenState : undefined;
    return writeCapsule({ cache, contextSize, model: this.#engine.fingerprint, hiddenState: last, documentEnd });
  }

  /**
   * Frees the cache; what reads or generates meanwhile ends with DisposedError. Using the session afterwards throws
   * DisposedError; disposing again does nothing.
   */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#sessions.delete(this);
    // A press may call this amid the very step that uses the cache, which is then freed at the step's end.
    if (!this.#stepping) this.#passes.cache.dispose();
    this.#stop?.abort(new DisposedError("This session has been disposed"));
  }

  /** For `using`. */
  [disposeSymbol](): void {
    this.dispose();
  }

  /** A call that changes the session at once. */
  #change<T>(operation: string, work: (passes: Passes) => T): T {
    this.#enter(operation);
    try {
      return this.#step(() => work(this.#passes));
    } finally {
      this.#running = undefined;
    }
  }

  #enter(operation: string): void {
    this.#live();
    if (this.#running !== undefined) {
      throw new BusyError(`${operation} has to wait: this session is in the middle of ${this.#running}`);
    }
    this.#running = operation;
  }

  /** The session where no pass of the model is paused, whoever began it. */
  #settled(): Passes {
    const passes = this.#live();
    this.#engine.settle();
    return passes;
  }

  /** Work without pause, in which a press's code may run. @throws DisposedError when that disposes the session */
  #step<T>(work: () => T): T {
    this.#engine.settle();
    this.#stepping = true;
    try {
      const result = work();
      this.#live();
      return result;
    } finally {
      this.#stepping = false;
      if (this.#disposed) this.#passes.cache.dispose();
    }
  }

  /** Work in steps, between which other work goes on. @throws what the signal gives, or DisposedError: the work is then given up */
  async #inSteps<T>(work: () => Steps<T>, signal: AbortSignal): Promise<T> {
    const end = await this.#engine.takeTurn();
    try {
      signal.throwIfAborted();
      this.#live();
      this.#stepping = true;
      const steps = work();
      try {
        for (;;) {
          const { value, done } = steps.next();
          this.#live();
          if (done) return value;
          await pause();
          signal.throwIfAborted();
        }
      } finally {
        // Given up, it puts everything back.
        steps.return(undefined as T);
        this.#stepping = false;
        if (this.#disposed) this.#passes.cache.dispose();
      }
    } finally {
      end();
    }
  }

  /** @param endless whether there is room for a text of any length */
  #tokens(tokens: unknown, endless = false): Int32Array {
    return checkedTokens(tokens, this.#engine.config.vocabularySize, (length) => {
      if (length === 0) throw new ArgumentError("There are no tokens to read");
      if (!endless) this.#passes.checkRoom(length);
    });
  }

  /** This session as generation uses it. */
  #target(forget: Forgetting | undefined): Required<GenerationTarget> {
    const passes = this.#live();
    const start = passes.hiddenState;
    const decode = (token: number) => this.#step(() => this.#live().pass(Int32Array.of(token)));
    return {
      makeRoom: () => {
        this.#live();
        if (forget) this.#step(() => passes.forget(forget, 1));
        passes.checkRoom(1);
      },
      decode,
      settle: (unread, hidden, last) => {
        if (this.#disposed) return;
        if (unread !== undefined) decode(unread);
        else this.#step(() => passes.takeBack(hidden, last, start));
      },
    };
  }

  #live(): Passes {
    if (this.#disposed) throw new DisposedError("This session has been disposed");
    return this.#passes;
  }
}

/** @param logits [vocabulary] @returns in nats */
function negativeLogLikelihood(logits: Float32Array, token: number): number {
  const largest = logits.reduce((a, b) => Math.max(a, b));
  const sum = logits.reduce((total, value) => total + Math.exp(value - largest), 0);
  return largest + Math.log(sum) - logits[token]!;
}
