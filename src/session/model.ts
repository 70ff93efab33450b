/** A loaded model: its configuration, tokenizer, weights and sessions. */
import { KeyValueCache } from "../cache/cache.ts";
import { type CacheForm, f32Pages, q8Pages } from "../cache/page-form.ts";
import { PagePool } from "../cache/pages.ts";
import { packedSizeOf } from "../core/axis.ts";
import type { Core } from "../core/core.ts";
import type { Team } from "../core/team.ts";
import { ArgumentError, DisposedError } from "../errors.ts";
import type { ModelConfig } from "../model/config.ts";
import type { Decoder } from "../model/decoder.ts";
import { modelFingerprint } from "../model/fingerprint.ts";
import type { GenerationDefaults } from "../model/generation-config.ts";
import type { TensorSummary } from "../model/tensor-summary.ts";
import type { ModelWeights } from "../model/weights.ts";
import { checkOptions } from "../options.ts";
import { show } from "../show.ts";
import { PromptFrame } from "../tokenizer/prompt-frame.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { readCapsule } from "./capsule.ts";
import { Session, type SessionOptions } from "./session.ts";

/** What a model is made of. */
interface ModelParts {
  readonly name: string;
  readonly core: Core;
  readonly team: Team;
  readonly config: ModelConfig;
  readonly tensors: readonly TensorSummary[];
  readonly tokenizer: Tokenizer;
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

/** Made by `loadModel`. Its memory is given back to the runtime once it is disposed and unreachable. */
export class Model {
  readonly name: string;
  readonly config: ModelConfig;
  /** What kinds of tensors the model came with and how they are held. */
  readonly tensors: readonly TensorSummary[];
  readonly tokenizer: Tokenizer;
  /** How the model's files say that tokens should be drawn, where a caller does not. */
  readonly generationDefaults: GenerationDefaults;
  readonly #weightBytes: number;
  readonly #weights: ModelWeights;
  #fingerprint: string | undefined;
  #frame: { readonly parts: PromptFrame } | { readonly error: unknown } | undefined;
  readonly #sessions = new Set<Session>();
  #parts: { core: Core; team: Team; decoder: Decoder; pools: Map<CacheForm, PagePool> } | undefined;

  /** For `loadModel`. */
  constructor(parts: ModelParts) {
    this.name = parts.name;
    this.config = parts.config;
    this.tensors = parts.tensors;
    this.tokenizer = parts.tokenizer;
    this.generationDefaults = parts.generationDefaults;
    this.#weightBytes = parts.weightBytes;
    this.#weights = parts.weights;
    this.#parts = {
      core: parts.core,
      team: parts.team,
      decoder: parts.decoder,
      pools: new Map(),
    };
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

  /** The same for a document given as tokens, whose own frame may be in them: where the template has none, that of a model without one. */
  get frameForTokens(): PromptFrame {
    const frame = this.#framed();
    return "error" in frame ? new PromptFrame(undefined, this.tokenizer) : frame.parts;
  }

  /** The core that holds the weights; for sessions. @throws DisposedError; UnsupportedError when a thread has died */
  get core(): Core {
    return this.#sound().core;
  }

  /** The forward pass; for sessions. @throws as `core` */
  get decoder(): Decoder {
    return this.#sound().decoder;
  }

  /** Threads that compute, the calling one included. @throws DisposedError */
  get threads(): number {
    return this.#live().team.threads;
  }

  get memory(): ModelMemory {
    const { core } = this.#live();
    return {
      weightBytes: this.#weightBytes,
      bytesInUse: core.bytesInUse,
      peakBytes: core.peakBytes,
      byteLength: core.byteLength,
    };
  }

  /** A session with an empty cache. @throws ArgumentError for a scheme or window that cannot be */
  createSession(options: SessionOptions = {}): Session {
    checkOptions(options, ["scheme", "cache", "contextSize"], "createSession");
    const { scheme = "contiguous", cache: form = "f32", contextSize = this.config.maxPositions } = options;
    if (scheme !== "contiguous" && scheme !== "original") {
      throw new ArgumentError(`scheme should be "contiguous" or "original" and is ${show(scheme)}`);
    }
    if (form !== "f32" && form !== "q8") {
      throw new ArgumentError(`cache should be "f32" or "q8" and is ${show(form)}`);
    }
    checkWindow(contextSize);
    const { layers, kvHeads } = this.config;
    const cache = new KeyValueCache(this.#pool(form), layers, kvHeads, scheme);
    return this.adopt(new Session(this, cache, contextSize));
  }

  /**
   * What identifies the model in capsules: a hash of its configuration and a sample of every weight tensor in the form
   * it is held in, 16 hexadecimal digits. An integrity check, not a cryptographic one.
   * @throws DisposedError
   */
  get fingerprint(): string {
    const { core } = this.#sound();
    this.#fingerprint ??= modelFingerprint(core, this.config, this.frameForTokens, this.#weights);
    return this.#fingerprint;
  }

  /**
   * Opens what `session.save()` gave: a session that goes on, bit for bit, as the saved one would.
   * @param options.window positions that may be used, where that should not be the saved session's; beyond the model's own
   * window only when it is asked for here
   * @throws FormatError for bytes that are no capsule, truncated, altered, of a newer version or of another model;
   * MemoryError. Nothing stays allocated then.
   */
  openSession(bytes: Uint8Array | ArrayBuffer, options: { readonly contextSize?: number | undefined } = {}): Session {
    checkOptions(options, ["contextSize"], "openSession");
    if (options.contextSize !== undefined) checkWindow(options.contextSize);
    const { layers, kvHeads, maxPositions } = this.config;
    const hiddenWidth = packedSizeOf(this.decoder.layout.width);
    const pageBytes = (form: CacheForm) => this.#pool(form).pageBytes;
    const limits = { contextSize: maxPositions, lifted: options.contextSize };
    const documentEnd = (value: unknown) => this.frameForTokens.checkedEnd(value);
    const sizes = { layers, kvHeads, hiddenWidth, pageBytes, documentEnd, ...limits };
    const state = readCapsule(asBytes(bytes), this.fingerprint, sizes);
    const { scheme, form, contextSize } = state;
    const session = this.createSession({ scheme, cache: form, contextSize });
    try {
      session.restore(state);
      return session;
    } catch (error) {
      session.dispose();
      throw error;
    }
  }

  /** Disposes every session, ends the worker threads and lets go of the memory. Using the model afterwards throws DisposedError. */
  dispose(): void {
    for (const session of [...this.#sessions]) session.dispose();
    this.#parts?.decoder.dispose();
    this.#parts?.team.dispose();
    this.#parts = undefined;
  }

  /** Keeps a session to be disposed with the model; for sessions. */
  adopt(session: Session): Session {
    this.#sessions.add(session);
    return session;
  }

  /** Forgets a disposed session; for sessions. */
  forget(session: Session): void {
    this.#sessions.delete(session);
  }

  /** The prompt, or why there is none; rendered once, as templates may work long before they fail. */
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

  /** The pages of all sessions whose caches have this form. */
  #pool(form: CacheForm): PagePool {
    const { core, decoder, pools } = this.#sound();
    const { head } = decoder.layout;
    const pages = () =>
      form === "f32"
        ? f32Pages(core, head)
        : q8Pages(core, head, decoder.rotations, decoder.frequencies.attentionFactor);
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

/** @throws ArgumentError for no positive whole number, or infinity */
function checkWindow(contextSize: unknown): void {
  if ((Number.isInteger(contextSize) && (contextSize as number) >= 1) || contextSize === Number.POSITIVE_INFINITY)
    return;
  throw new ArgumentError(`contextSize cannot be ${show(contextSize)}`);
}

/** @throws ArgumentError for what is no bytes */
function asBytes(bytes: unknown): Uint8Array {
  if (ArrayBuffer.isView(bytes)) return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (Object.prototype.toString.call(bytes) === "[object ArrayBuffer]") return new Uint8Array(bytes as ArrayBuffer);
  throw new ArgumentError(`A capsule is bytes, and this is ${show(bytes)}`);
}
