/** The side that uses an engine in a worker: the engine's interface with a promise for everything. */
import { disposeSymbol } from "../dispose.ts";
import { ArgumentError, DisposedError, WorkerError } from "../errors.ts";
import type {
  Budget,
  DocumentText,
  EndlessOptions,
  GenerateOptions,
  LoadOptions,
  Model,
  ModelConfig,
  ModelMemory,
  ModelSource,
  PressName,
  ReadOptions,
  Scheme,
  SessionOptions,
  TensorSummary,
} from "../index.ts";
import { type Answer, type Call, type Follow, PIECES, packError, unpackError } from "./protocol.ts";

/** A press by its name, or its name and parameters: a press itself has functions, which cannot be sent. */
export type PressChoice = PressName | readonly [PressName, object];

/** A worker that the engine is to run in, however the runtime makes it. */
export interface EngineWorker {
  post(message: unknown, transfer: Transferable[]): void;
  /** @param hear hears every message; `die` that the worker has ended, and why */
  listen(hear: (message: Answer) => void, die: (cause: unknown) => void): void;
  terminate(): void;
  /** Keeps the process alive while calls are unanswered, on runtimes where a worker can. */
  busy?(isBusy: boolean): void;
}

/** A call that has not been answered. */
interface Pending {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  readonly onProgress?: ((progress: never) => void) | undefined;
  readonly pieces?: AsyncIterator<unknown> | Iterator<unknown> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Calls across, and what they come to. */
class Line {
  readonly #worker: EngineWorker;
  readonly #pending = new Map<number, Pending>();
  #last = 0;
  #ended: Error | undefined;

  constructor(worker: EngineWorker) {
    this.#worker = worker;
    worker.listen(
      (answer) => void this.#hear(answer),
      (cause) => this.end(new WorkerError(`The engine's worker has ended: ${messageOf(cause)}`, { cause })),
    );
  }

  /** @throws (rejects with) what the engine threw; WorkerError when the worker ends before it answers */
  async call(target: number, method: string, ...values: unknown[]): Promise<unknown> {
    return this.#send(++this.#last, target, method, values);
  }

  /** Items that the engine gives one after the other, each when it is asked for. */
  async *stream(target: number, method: string, ...values: unknown[]): AsyncGenerator<string, void, void> {
    const id = ++this.#last;
    let done: boolean | undefined;
    const signal = (values.at(-1) as GenerateOptions | undefined)?.signal;
    const stop = () => this.#post({ kind: "abort", id, reason: packError(signal?.reason) });
    await this.#send(id, target, method, values);
    signal?.addEventListener("abort", stop);
    try {
      if (signal?.aborted) stop();
      for (;;) {
        const item = (await this.#follow("next", id, signal)) as { value: string; done: boolean };
        done = item.done;
        if (done) return;
        yield item.value;
      }
    } catch (error) {
      done = true;
      throw error;
    } finally {
      signal?.removeEventListener("abort", stop);
      if (!done && !this.#ended) await this.#follow("return", id, undefined);
    }
  }

  /** Rejects what is unanswered, and everything after. */
  end(error: Error): void {
    if (this.#ended) return;
    this.#ended = error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
    this.#worker.terminate();
  }

  async #send(id: number, target: number, method: string, given: readonly unknown[]): Promise<unknown> {
    const options = given.findLast(isRecord);
    const signal = options?.signal as AbortSignal | undefined;
    signal?.throwIfAborted();
    // What a model is loaded from is handed over as a whole.
    const source = target === 0 ? undefined : given.find(isPieces);
    const values = given.map((value) =>
      value === source && source ? PIECES : value === options ? sendable(options as Record<string, unknown>) : value,
    );
    const stop = () => this.#post({ kind: "abort", id, reason: packError(signal?.reason) });
    const answer = this.#await(id, {
      onProgress: options?.onProgress as Pending["onProgress"],
      pieces: source && iteratorOf(source),
      signal,
    });
    signal?.addEventListener("abort", stop);
    try {
      this.#post({ kind: "call", id, target, method, values }, streamsIn(values));
      return await answer;
    } finally {
      signal?.removeEventListener("abort", stop);
      this.#forget(id);
    }
  }

  async #follow(kind: "next" | "return", id: number, signal: AbortSignal | undefined): Promise<unknown> {
    const answer = this.#await(id, { signal });
    this.#post({ kind, id });
    return answer.finally(() => this.#forget(id));
  }

  #await(id: number, call: Omit<Pending, "resolve" | "reject">): Promise<unknown> {
    if (this.#ended) throw this.#ended;
    this.#worker.busy?.(true);
    const answer = new Promise((resolve, reject) => this.#pending.set(id, { ...call, resolve, reject }));
    // A call that cannot be sent is refused before it is awaited.
    answer.catch(() => {});
    return answer;
  }

  #forget(id: number): void {
    this.#pending.delete(id);
    if (this.#pending.size === 0) this.#worker.busy?.(false);
  }

  #post(message: Call | Follow, transfer: Transferable[] = []): void {
    try {
      this.#worker.post(message, transfer);
    } catch (cause) {
      throw new ArgumentError(`What was given cannot be sent to the worker: ${messageOf(cause)}`, { cause });
    }
  }

  async #hear(answer: Answer): Promise<void> {
    const pending = this.#pending.get(answer.id);
    if (!pending) return;
    if (answer.kind === "value") pending.resolve(answer.value);
    else if (answer.kind === "item") pending.resolve(answer);
    else if (answer.kind === "progress") pending.onProgress?.(answer.value as never);
    else if (answer.kind === "error") {
      pending.reject(pending.signal?.aborted ? pending.signal.reason : unpackError(answer.error));
    } else {
      const { id } = answer;
      try {
        const { value, done } = await pending.pieces!.next();
        this.#post({ kind: "piece", id, value, done });
      } catch (error) {
        this.#post({ kind: "piece", id, error: packError(error) });
      }
    }
  }
}

/** A model in a worker of its own. */
export class WorkerModel {
  readonly name: string;
  readonly config: ModelConfig;
  readonly tensors: readonly TensorSummary[];
  readonly threads: number;
  readonly fingerprint: string;
  readonly #line: Line;
  readonly #object: number;

  /** @internal For `loadModel`. */
  constructor(
    line: Line,
    object: number,
    facts: Pick<Model, "name" | "config" | "tensors" | "threads" | "fingerprint">,
  ) {
    this.#line = line;
    this.#object = object;
    this.name = facts.name;
    this.config = facts.config;
    this.tensors = facts.tensors;
    this.threads = facts.threads;
    this.fingerprint = facts.fingerprint;
  }

  async createSession(options: SessionOptions = {}): Promise<WorkerSession> {
    return opened(this.#line, this.#line.call(this.#object, "createSession", options));
  }

  /** Opens what `session.save()` gave, here or elsewhere. */
  async openSession(
    bytes: Uint8Array | ArrayBuffer,
    options: { contextSize?: number | undefined } = {},
  ): Promise<WorkerSession> {
    return opened(this.#line, this.#line.call(this.#object, "openSession", bytes, options));
  }

  /** As `tokenizer.encode`. */
  async encode(text: string, options: { special?: boolean } = {}): Promise<Int32Array> {
    return this.#line.call(this.#object, "encode", text, options) as Promise<Int32Array>;
  }

  /** As `tokenizer.decode`. */
  async decode(tokens: ArrayLike<number>, options: { skipSpecial?: boolean } = {}): Promise<string> {
    return this.#line.call(this.#object, "decode", Int32Array.from(tokens), options) as Promise<string>;
  }

  async memory(): Promise<ModelMemory> {
    return this.#line.call(this.#object, "memory") as Promise<ModelMemory>;
  }

  /** Ends the worker; what is unanswered, and every later call, is rejected with DisposedError. */
  dispose(): void {
    this.#line.end(new DisposedError("This model has been disposed"));
  }

  /** For `using`. */
  [disposeSymbol](): void {
    this.dispose();
  }
}

/** A session of a model in a worker; calls are answered in the order in which they were made. */
export class WorkerSession {
  readonly #line: Line;
  readonly #object: number;

  /** @internal For `WorkerModel`. */
  constructor(line: Line, object: number) {
    this.#line = line;
    this.#object = object;
  }

  async read(
    text: DocumentText,
    options: Omit<ReadOptions, "press"> & { press?: PressChoice | undefined } = {},
  ): Promise<void> {
    await this.#line.call(this.#object, "read", text, options);
  }

  ask(question: string, options: GenerateOptions = {}): AsyncGenerator<string, void, void> {
    return this.#line.stream(this.#object, "ask", question, options);
  }

  generate(prompt: string, options: GenerateOptions & EndlessOptions = {}): AsyncGenerator<string, void, void> {
    return this.#line.stream(this.#object, "generate", prompt, options);
  }

  async prefill(tokens: ArrayLike<number>, options?: { press: PressChoice } & Budget): Promise<Float32Array> {
    const list = Int32Array.from(tokens);
    const call = options
      ? this.#line.call(this.#object, "prefill", list, options)
      : this.#line.call(this.#object, "prefill", list);
    return call as Promise<Float32Array>;
  }

  async decode(token: number): Promise<Float32Array> {
    return this.#line.call(this.#object, "decode", token) as Promise<Float32Array>;
  }

  async negativeLogLikelihoods(tokens: ArrayLike<number>): Promise<Float32Array> {
    return this.#line.call(this.#object, "negativeLogLikelihoods", Int32Array.from(tokens)) as Promise<Float32Array>;
  }

  async keep(indices: readonly (readonly ArrayLike<number>[])[]): Promise<void> {
    await this.#line.call(this.#object, "keep", indices);
  }

  async cacheLength(layer: number, head: number): Promise<number> {
    return this.#line.call(this.#object, "cacheLength", layer, head) as Promise<number>;
  }

  async positions(layer: number, head: number): Promise<Int32Array> {
    return this.#line.call(this.#object, "positions", layer, head) as Promise<Int32Array>;
  }

  async keys(layer: number, head: number): Promise<Float32Array> {
    return this.#line.call(this.#object, "keys", layer, head) as Promise<Float32Array>;
  }

  async values(layer: number, head: number): Promise<Float32Array> {
    return this.#line.call(this.#object, "values", layer, head) as Promise<Float32Array>;
  }

  /** Tokens read so far, bytes that the cache holds, and the scheme. */
  async state(): Promise<{ absolutePosition: number; byteLength: number; scheme: Scheme }> {
    return this.#line.call(this.#object, "state") as Promise<{
      absolutePosition: number;
      byteLength: number;
      scheme: Scheme;
    }>;
  }

  async fork(): Promise<WorkerSession> {
    return opened(this.#line, this.#line.call(this.#object, "fork"));
  }

  async save(): Promise<Uint8Array<ArrayBuffer>> {
    return this.#line.call(this.#object, "save") as Promise<Uint8Array<ArrayBuffer>>;
  }

  async dispose(): Promise<void> {
    await this.#line.call(this.#object, "dispose");
  }
}

/** `loadModel` of a runtime. @param start makes a worker that serves an engine */
export function createLoadModel(start: () => EngineWorker) {
  /**
   * Loads a model in a worker of its own: nothing that it does blocks the calling thread.
   * @throws (rejects with) what the engine's `loadModel` throws; WorkerError when the worker does not start
   */
  return async function loadModel(source: ModelSource, options: LoadOptions = {}): Promise<WorkerModel> {
    const line = new Line(start());
    try {
      const given = source instanceof URL ? source.href : source;
      const { object, facts } = (await line.call(0, "loadModel", given, options)) as { object: number; facts: Model };
      return new WorkerModel(line, object, facts);
    } catch (error) {
      line.end(new DisposedError("This model was not loaded"));
      throw error;
    }
  };
}

async function opened(line: Line, answer: Promise<unknown>): Promise<WorkerSession> {
  return new WorkerSession(line, ((await answer) as { object: number }).object);
}

const messageOf = (cause: unknown) => String((cause as { message?: unknown } | null)?.message ?? cause);

const isRecord = (value: unknown): value is Record<string, unknown> =>
  Object.prototype.toString.call(value) === "[object Object]";

/** Whether an argument is a document in pieces: an iterable of neither characters nor numbers. */
function isPieces(value: unknown): value is AsyncIterable<unknown> | Iterable<unknown> {
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return false;
  if (Array.isArray(value)) return value.length > 0 && value.every((item) => typeof item === "string");
  return Symbol.asyncIterator in value || (Symbol.iterator in value && !("length" in value));
}

const iteratorOf = (source: AsyncIterable<unknown> | Iterable<unknown>) =>
  Symbol.asyncIterator in source ? source[Symbol.asyncIterator]() : source[Symbol.iterator]();

/** Options without what stays on this side, which leaves a mark. */
function sendable({ signal, onProgress, ...options }: Record<string, unknown>): object {
  return {
    ...options,
    ...(signal !== undefined && { signal: true }),
    ...(onProgress !== undefined && { onProgress: true }),
  };
}

/** Streams are handed over: they cannot be copied. */
const streamsIn = (values: readonly unknown[]): Transferable[] =>
  values.filter(
    (value): value is ReadableStream => typeof ReadableStream !== "undefined" && value instanceof ReadableStream,
  );
