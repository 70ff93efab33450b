/** A model's machinery below its sessions: core, threads, weights, decoder, tokenizer and the pages of caches. */
import { KeyValueCache, type Scheme } from "../cache/cache.ts";
import { type CacheForm, f32Pages, q8Pages } from "../cache/page-form.ts";
import { PagePool } from "../cache/pages.ts";
import { packedSizeOf } from "../core/axis.ts";
import type { Core } from "../core/core.ts";
import type { Team } from "../core/team.ts";
import { DisposedError, FormatError } from "../errors.ts";
import { PromptFrame } from "../tokenizer/prompt-frame.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { ModelConfig } from "./config.ts";
import type { Decoder } from "./decoder.ts";
import { modelFingerprint } from "./fingerprint.ts";
import type { GenerationDefaults } from "./generation-config.ts";
import type { TensorSummary } from "./tensor-summary.ts";
import type { ModelWeights } from "./weights.ts";

/** What an engine is made of. */
interface EngineParts {
  readonly name: string;
  readonly core: Core;
  readonly team: Team;
  readonly config: ModelConfig;
  readonly tensors: readonly TensorSummary[];
  /** Or what is missing for one. */
  readonly tokenizer: Tokenizer | FormatError;
  readonly generationDefaults: GenerationDefaults;
  readonly decoder: Decoder;
  readonly weights: ModelWeights;
  /** Bytes of the packed weights. */
  readonly weightBytes: number;
}

/** What a model's memory holds, in bytes. */
export interface ModelMemory {
  readonly weightBytes: number;
  /** Weights, caches, intermediate results. */
  readonly bytesInUse: number;
  /** The most that was in use at once. */
  readonly peakBytes: number;
  /** The WebAssembly memory, which never shrinks. */
  readonly byteLength: number;
}

/** Owns the core's memory and its threads until `dispose()`; sessions compute with it, and the public `Model` stands above both. */
export class Engine {
  readonly name: string;
  readonly config: ModelConfig;
  readonly tensors: readonly TensorSummary[];
  readonly generationDefaults: GenerationDefaults;
  readonly #tokenizer: Tokenizer | FormatError;
  readonly #weightBytes: number;
  readonly #weights: ModelWeights;
  #fingerprint: string | undefined;
  /** Ends with the last turn that was taken. */
  #turn: Promise<void> = Promise.resolve();
  #frame: { readonly parts: PromptFrame } | { readonly error: unknown } | undefined;
  #parts: { core: Core; team: Team; decoder: Decoder; pools: Map<CacheForm, PagePool> } | undefined;

  constructor(parts: EngineParts) {
    this.name = parts.name;
    // The name of 0.1, until 1.0; it does not count among the configuration's fields.
    this.config = Object.defineProperty({ ...parts.config }, "keyHeads", { value: parts.config.kvHeads });
    this.tensors = parts.tensors;
    this.#tokenizer = parts.tokenizer;
    this.generationDefaults = parts.generationDefaults;
    this.#weightBytes = parts.weightBytes;
    this.#weights = parts.weights;
    this.#parts = { core: parts.core, team: parts.team, decoder: parts.decoder, pools: new Map() };
  }

  /** @throws FormatError saying what is missing, where the model came without a tokenizer */
  get tokenizer(): Tokenizer {
    if (this.#tokenizer instanceof FormatError) throw this.#tokenizer;
    return this.#tokenizer;
  }

  /**
   * What stands before a document and after a question.
   * @throws ArgumentError with the template's own words when the model's chat template refuses a document as a user's message; FormatError
   * when it cannot be parsed, fails or does not write the message as it is. Then the model is still good for all that needs no template.
   */
  get frame(): PromptFrame {
    const frame = this.#framed();
    if ("error" in frame) throw frame.error;
    return frame.parts;
  }

  /**
   * The same for a document given as tokens, whose own frame may be in them: where the template has none, that of a model without one.
   * Undefined where there is no tokenizer.
   */
  get frameForTokens(): PromptFrame | undefined {
    if (this.#tokenizer instanceof FormatError) return undefined;
    const frame = this.#framed();
    return "error" in frame ? new PromptFrame(undefined, this.tokenizer) : frame.parts;
  }

  /** The core that holds the weights. @throws DisposedError; UnsupportedError when a thread has died */
  get core(): Core {
    return this.#sound().core;
  }

  /** The forward pass. @throws as `core` */
  get decoder(): Decoder {
    return this.#sound().decoder;
  }

  /** Threads that compute, the calling one included. @throws DisposedError */
  get threads(): number {
    return this.#live().team.threads;
  }

  /** Why one thread computes where more were wanted. @throws DisposedError */
  get singleThreadReason(): string | undefined {
    return this.#live().team.reason;
  }

  /** @throws DisposedError */
  get memory(): ModelMemory {
    const { core } = this.#live();
    return {
      weightBytes: this.#weightBytes,
      bytesInUse: core.bytesInUse,
      peakBytes: core.peakBytes,
      byteLength: core.byteLength,
    };
  }

  /** Numbers in a hidden state as it is held. */
  get hiddenWidth(): number {
    return packedSizeOf(this.decoder.layout.width);
  }

  /** What identifies the model in capsules. @throws as `core` */
  get fingerprint(): string {
    const { core } = this.#sound();
    this.#fingerprint ??= modelFingerprint(core, this.config, this.frameForTokens, this.#weights);
    return this.#fingerprint;
  }

  /** An empty cache, whose pages come from the pool of all that have its form. */
  createCache(form: CacheForm, scheme: Scheme): KeyValueCache {
    return new KeyValueCache(this.#pool(form), this.decoder.cacheLayers, scheme);
  }

  /** Bytes of a page of a form. */
  pageBytes(form: CacheForm): number {
    return this.#pool(form).pageBytes;
  }

  /** Runs what is left of a pass that is paused; before anything is done that could move what it works on. */
  settle(): void {
    this.#parts?.decoder.settle();
  }

  /** Waits until nobody else is in the middle of work in steps. @returns what ends the turn */
  async takeTurn(): Promise<() => void> {
    const before = this.#turn;
    let end = () => {};
    this.#turn = new Promise((resolve) => {
      end = resolve;
    });
    await before;
    return end;
  }

  /** Ends the worker threads and lets go of the memory. */
  dispose(): void {
    this.#parts?.decoder.dispose();
    this.#parts?.team.dispose();
    this.#parts = undefined;
  }

  /** The frame, or why there is none; rendered once, as templates may work long before they fail. */
  #framed(): { readonly parts: PromptFrame } | { readonly error: unknown } {
    if (!this.#frame) {
      try {
        this.#frame = { parts: new PromptFrame(this.tokenizer.chatTemplate, this.tokenizer) };
      } catch (error) {
        this.#frame = { error };
      }
    }
    return this.#frame;
  }

  #pool(form: CacheForm): PagePool {
    const { core, decoder, pools } = this.#sound();
    const axes = decoder.headAxes;
    const pages = () => (form === "f32" ? f32Pages(core, axes) : q8Pages(core, axes));
    const pool = pools.get(form) ?? new PagePool(core, pages());
    pools.set(form, pool);
    return pool;
  }

  /** What computes. @throws UnsupportedError for ever once a thread has died; `dispose` still frees everything */
  #sound() {
    const parts = this.#live();
    parts.team.check();
    return parts;
  }

  #live() {
    if (!this.#parts) throw new DisposedError("This model has been disposed");
    return this.#parts;
  }
}
